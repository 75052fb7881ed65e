import Diagnostics

/// Tensors by name, wherever their elements are: in memory (``NamedTensors``) or still in a file (``TensorFile``).
public protocol TensorSource {
  /// The names, in the order of the file.
  var names: [String] { get }
  /// Free text by key: the `__metadata__` of safetensors; PyTorch files have none. A key that is the further name
  /// of a shared tensor has the name it is stored under, as `safetensors.torch.save_model` writes it.
  var metadata: [String: String] { get }
  /// Type and shape of a tensor without its elements; nil without that name. O(1).
  func description(of name: String) -> TensorDescription?
  /// A tensor.
  ///
  /// - Throws: `.badData` without that name, or if the file is damaged there; `.inputOutput` if it cannot be read.
  func tensor(_ name: String) throws(Failure) -> Tensor
}

/// What a tensor is without its elements.
public struct TensorDescription: Equatable, Sendable {
  /// The type of the elements.
  public let elementType: ElementType
  /// The dimensions, outermost first.
  public let shape: [Int]

  /// Bytes of all elements.
  var byteCount: Int { elementType.byteCount(ofShape: shape)! }
}

extension TensorSource {
  /// The further names of shared tensors, each with the name it is stored under, sorted.
  package var aliases: [(name: String, stored: String)] {
    metadata.filter { description(of: $0.key) == nil && description(of: $0.value) != nil }
      .map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
  }
}

/// Tensors by name, in order: what a state dict or a safetensors file holds.
public struct NamedTensors: Equatable, Sendable {
  private var tensors: [Tensor] = []
  private var positions: [String: Int] = [:]

  /// The names in order.
  public private(set) var names: [String] = []

  /// See ``TensorSource``.
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

extension NamedTensors: TensorSource {
  /// See ``TensorSource``.
  public func description(of name: String) -> TensorDescription? {
    self[name].map { TensorDescription(elementType: $0.elementType, shape: $0.shape) }
  }

  /// See ``TensorSource``.
  public func tensor(_ name: String) throws(Failure) -> Tensor { try tensor(name, in: "the weights") }
}

/// An open file of tensors. Their names, types and shapes are known, and known to lie in the file; their elements are
/// read when they are asked for, so that a file takes no more memory than what is taken from it.
public struct TensorFile: TensorSource, Sendable {
  /// The file.
  public let path: String
  /// The names, in the order of the file.
  public let names: [String]
  /// See ``TensorSource``.
  public let metadata: [String: String]

  private let entries: [String: (description: TensorDescription, position: Int)]
  private let read: @Sendable (_ position: Int) throws(Failure) -> Tensor

  /// - Parameters:
  ///   - tensors: what is in the file; the names differ.
  ///   - read: reads the tensor at a position of `tensors`.
  init(
    path: String, _ tensors: [(name: String, description: TensorDescription)],
    metadata: [String: String] = [:],
    read: @escaping @Sendable (_ position: Int) throws(Failure) -> Tensor
  ) {
    self.path = path
    self.metadata = metadata
    self.read = read
    names = tensors.map(\.name)
    entries = Dictionary(
      uniqueKeysWithValues: tensors.enumerated().map { ($1.name, ($1.description, $0)) })
  }

  private init(
    _ file: TensorFile, names: [String], entries: [String: (description: TensorDescription, position: Int)]
  ) {
    path = file.path
    metadata = file.metadata
    read = file.read
    self.names = names
    self.entries = entries
  }

  /// See ``TensorSource``.
  public func description(of name: String) -> TensorDescription? { entries[name]?.description }

  /// See ``TensorSource``.
  public func tensor(_ name: String) throws(Failure) -> Tensor {
    guard let entry = entries[name] else {
      throw Failure(.badData, "\(path): no tensor \(name.quoted) among its \(names.count)")
    }
    return try read(entry.position)
  }

  /// All tensors in memory.
  ///
  /// - Throws: as `tensor`.
  public func readAll() throws(Failure) -> NamedTensors {
    var tensors = NamedTensors()
    for name in names { tensors[name] = try tensor(name) }
    tensors.metadata = metadata
    return tensors
  }

  /// The same tensors under other names; those that get nil, or a name that another has, are left out.
  package func renamed(_ rename: (String) -> String?) -> TensorFile {
    var names: [String] = []
    var renamed: [String: (description: TensorDescription, position: Int)] = [:]
    for name in self.names {
      guard let other = rename(name), renamed[other] == nil else { continue }
      names.append(other)
      renamed[other] = entries[name]
    }
    return TensorFile(self, names: names, entries: renamed)
  }
}
