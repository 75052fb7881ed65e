import Diagnostics

/// Tensors by name, in order: what a state dict or a safetensors file holds.
public struct NamedTensors: Equatable, Sendable {
  private var tensors: [Tensor] = []
  private var positions: [String: Int] = [:]

  /// The names in order.
  public private(set) var names: [String] = []

  /// Free text by key: the `__metadata__` of safetensors; PyTorch files have none. A key that is the further name
  /// of a shared tensor has the name it is stored under, as `safetensors.torch.save_model` writes it.
  public var metadata: [String: String] = [:]

  /// No tensors.
  public init() {}

  /// The given tensors in order; a repeated name keeps its first place and its last tensor.
  public init(_ pairs: [(String, Tensor)], metadata: [String: String] = [:]) {
    for (name, tensor) in pairs { self[name] = tensor }
    self.metadata = metadata
  }

  /// The tensor called `name`: O(1). Setting a new name appends it, setting nil removes it in O(count).
  public subscript(name: String) -> Tensor? {
    get { positions[name].map { tensors[$0] } }
    set {
      switch (positions[name], newValue) {
      case (let position?, let tensor?): tensors[position] = tensor
      case (nil, let tensor?):
        positions[name] = names.count
        names.append(name)
        tensors.append(tensor)
      case (let position?, nil):
        names.remove(at: position)
        tensors.remove(at: position)
        positions = Dictionary(uniqueKeysWithValues: zip(names, names.indices))
      case (nil, nil): break
      }
    }
  }

  /// The same with shared tensors under each of their names, as a state dict of PyTorch has them.
  public func repeatingShared() -> NamedTensors {
    var repeated = self
    for (name, stored) in metadata.sorted(by: { $0.key < $1.key }) where self[name] == nil {
      guard let tensor = self[stored] else { continue }
      repeated[name] = tensor
      repeated.metadata[name] = nil
    }
    return repeated
  }

  /// The tensor called `name`.
  ///
  /// - Parameter file: what the error calls the source, usually the file's path.
  /// - Throws: `.badData` without that name, with up to three of the names that are there.
  public func tensor(_ name: String, in file: String) throws(Failure) -> Tensor {
    if let tensor = self[name] { return tensor }
    let some = names.prefix(3).map(\.quoted).joined(separator: ", ") + (names.count > 3 ? ", …" : "")
    throw Failure(.badData, "\(file): no tensor \(name.quoted) among its \(names.count) (\(some))")
  }
}

extension NamedTensors: RandomAccessCollection {
  /// The first position.
  public var startIndex: Int { 0 }
  /// The number of tensors.
  public var endIndex: Int { names.count }
  /// The tensor at a position and its name.
  public subscript(position: Int) -> (name: String, tensor: Tensor) {
    (names[position], tensors[position])
  }
}
