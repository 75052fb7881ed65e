import Diagnostics

/// Files of tensors in PyTorch's own format, the zip that `torch.save` has written since version 1.6.
///
/// Reading runs nothing: the pickle inside goes through a machine that can only describe tensors (see
/// `PickleMachine`), as `torch.load(weights_only=True)` does, and every offset and size is checked against the
/// file before it is used.
public enum TorchFile {
  /// Where the single tensor of a file lies, for callers that read parts of it themselves.
  public struct TensorLocation: Equatable, Sendable {
    /// The type of the elements.
    public let elementType: ElementType
    /// The dimensions, outermost first.
    public let shape: [Int]
    /// Elements from one index to the next, per dimension.
    public let stride: [Int]
    /// Byte in the file where the tensor's first element lies (the storage's start, if it is no view).
    public let payloadOffset: Int
    /// Byte in the file where the storage starts.
    public let storageOffset: Int
    /// Bytes of the whole storage.
    public let payloadBytes: Int
    /// CRC-32 of the whole storage, as the zip directory has it.
    public let storageCRC: UInt32

    /// Whether the elements lie one after another in C order from `payloadOffset` on.
    public var isContiguous: Bool { TensorFiles.isContiguous(shape: shape, stride: stride) }
  }

  /// Finds a file's tensor without reading it.
  ///
  /// - Throws: `.missingInput` without the file, `.inputOutput` if it cannot be read, `.badData` if it is not a
  ///   PyTorch file, is damaged, or holds anything but one tensor (or `Parameter`).
  public static func locateTensor(path: String) throws(Failure) -> TensorLocation {
    try locateTensor(in: try InputFile(path: path))
  }

  /// Finds the tensor of an open file without reading it, so that the caller can go on with the same descriptor.
  ///
  /// - Throws: as `locateTensor(path:)`.
  public static func locateTensor(in file: InputFile) throws(Failure) -> TensorLocation {
    var archive = try TorchArchive(file)
    return try archive.locate(try archive.singleTensor())
  }

  /// Reads a file's single tensor, in C order whatever its stride, its checksum verified.
  ///
  /// - Throws: as `locateTensor`, and `.badData` if the checksum does not match.
  public static func readTensor(path: String) throws(Failure) -> Tensor {
    try readTensor(in: try InputFile(path: path))
  }

  /// Reads the single tensor of an open file.
  ///
  /// - Throws: as `readTensor(path:)`.
  public static func readTensor(in file: InputFile) throws(Failure) -> Tensor {
    var archive = try TorchArchive(file)
    var reader = TorchTensorReader()
    return try reader.tensor(try archive.singleTensor(), of: &archive)
  }

  /// Reads a state dict: an `OrderedDict` or dict from names to tensors, in its order. Tensors that share a
  /// storage (tied weights) become equal tensors.
  ///
  /// - Throws: `.missingInput`, `.inputOutput`, or `.badData`, naming the entry that is no tensor.
  public static func readStateDict(path: String) throws(Failure) -> NamedTensors {
    try readStateDict(in: try InputFile(path: path))
  }

  /// Reads the state dict of an open file.
  ///
  /// - Throws: as `readStateDict(path:)`.
  public static func readStateDict(in file: InputFile) throws(Failure) -> NamedTensors {
    var archive = try TorchArchive(file)
    var reader = TorchTensorReader()
    var tensors = NamedTensors()
    for (name, view) in try archive.stateDict() {
      guard tensors[name] == nil else {
        throw Failure(.badData, "\(file.path): the name \(name.quoted) comes twice")
      }
      tensors[name] = try reader.tensor(view, of: &archive)
    }
    return tensors
  }
}

extension TorchArchive {
  fileprivate func singleTensor() throws(Failure) -> TorchTensorView {
    switch root {
    case .tensor(let index): return arena.tensors[index]
    case .dictionary(let index):
      let count = arena.dictionaries[index].entries.count
      throw Failure(.badData, "\(file.path): holds a dict of \(count) entries where one tensor should be")
    default: throw Failure(.badData, "\(file.path): holds \(root.kind) where one tensor should be")
    }
  }

  fileprivate func stateDict() throws(Failure) -> [(String, TorchTensorView)] {
    guard case .dictionary(let index) = root else {
      throw Failure(
        .badData, "\(file.path): holds \(root.kind) where a state dict (names to tensors) should be")
    }
    var views: [(String, TorchTensorView)] = []
    for (key, value) in arena.dictionaries[index].entries {
      guard case .string(let name) = key, name != SafetensorsHeader.metadataKey else {
        throw Failure(
          .badData, "\(file.path): the state dict has \(key.kind) as a key that is no tensor's name")
      }
      guard case .tensor(let tensor) = value else {
        let advice =
          if case .dictionary = value { "; this is a whole checkpoint: save its state dict alone" } else {
            ""
          }
        throw Failure(.badData, "\(file.path): entry \(name.quoted) is \(value.kind), not a tensor\(advice)")
      }
      views.append((name, arena.tensors[tensor]))
    }
    return views
  }
}

/// Reads tensors, each storage once.
private struct TorchTensorReader {
  /// Names for one whole storage share its memory, but copies of overlapping parts would multiply it.
  private static let maximumExpansion = 8

  private var storages: [String: [UInt8]] = [:]
  private var copiedBytes = 0

  mutating func tensor(_ view: TorchTensorView, of archive: inout TorchArchive) throws(Failure) -> Tensor {
    let location = try archive.locate(view)
    let key = archive.arena.storages[view.storage].key
    let storage: [UInt8]
    if let known = storages[key] {
      storage = known
    } else {
      storage = try archive.payload(of: location, key: key)
      storages[key] = storage
    }
    let elementByteCount = location.elementType.byteCount
    let isWhole = view.isContiguous && view.elementCount * elementByteCount == storage.count
    if !isWhole {
      copiedBytes += view.elementCount * elementByteCount
      guard copiedBytes / Self.maximumExpansion <= archive.file.byteCount else {
        throw Failure(
          .badData,
          "\(archive.file.path): overlapping views add up to more than \(Self.maximumExpansion) times the file"
        )
      }
    }
    return Tensor(
      elementType: location.elementType, shape: view.shape,
      bytes: isWhole ? storage : view.gather(from: storage, elementByteCount: elementByteCount))
  }
}
