import Diagnostics
import Synchronization

/// Files of tensors in PyTorch's own format: the zip that `torch.save` has written since version 1.6, and what it wrote
/// before.
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
    /// CRC-32 of the whole storage, as the zip directory has it; nil in a file from before PyTorch 1.6.
    public let storageCRC: UInt32?

    /// Bytes of the storage from the tensor's first element to its last.
    public let spanBytes: Int

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
    let archive = try TorchArchive(file)
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
    let archive = try TorchArchive(file)
    return try TorchTensorReader(archive).tensor(try archive.singleTensor())
  }

  /// Opens a state dict: an `OrderedDict` or dict from names to tensors, in its order. In a whole checkpoint, as
  /// trainers write it, the state dict is looked for under the names that they give it.
  ///
  /// - Throws: `.missingInput`, `.inputOutput`, or `.badData`, naming the entry that is no tensor.
  public static func openStateDict(path: String) throws(Failure) -> TensorFile {
    let archive = try TorchArchive(try InputFile(path: path))
    let views = try archive.stateDict()
    var names: Set<String> = []
    var bytes = 0
    for (name, view) in views {
      guard names.insert(name).inserted else {
        throw Failure(.badData, "\(path): the name \(name.quoted) comes twice")
      }
      bytes += try archive.locate(view).spanBytes
      guard bytes / maximumExpansion <= archive.file.byteCount else {
        throw Failure(
          .badData,
          "\(path): tensors that share their elements add up to more than \(maximumExpansion) times the file")
      }
    }
    let reader = TorchTensorReader(archive)
    return TensorFile(path: path, views.map { ($0.0, archive.description(of: $0.1)) }) {
      position throws(Failure) in
      try reader.tensor(views[position].1)
    }
  }

  /// As often as the largest models apply one layer. A small file could otherwise name its elements so often that what
  /// is made of it fills a disk.
  private static let maximumExpansion = 64

  /// Reads a state dict. Tensors that share a storage (tied weights) become equal tensors.
  ///
  /// - Throws: as `openStateDict`.
  public static func readStateDict(path: String) throws(Failure) -> NamedTensors {
    try openStateDict(path: path).readAll()
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

  fileprivate func description(of view: TorchTensorView) -> TensorDescription {
    TensorDescription(elementType: arena.storages[view.storage].elementType, shape: view.shape)
  }

  /// What trainers call the state dict in a checkpoint: Lightning and its kin, PyTorch's tutorial, fairseq and timm,
  /// DeepSpeed, and others.
  private static let stateDictKeys = [
    "state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params",
  ]

  fileprivate func stateDict() throws(Failure) -> [(String, TorchTensorView)] {
    guard case .dictionary(let index) = root else {
      throw Failure(
        .badData, "\(file.path): holds \(root.kind) where a state dict (names to tensors) should be")
    }
    let entries = arena.dictionaries[index].entries
    let holdsTensors = entries.contains { if case .tensor = $0.value { true } else { false } }
    if !holdsTensors {
      for key in Self.stateDictKeys {
        for case (.string(key), .dictionary(let inner)) in entries { return try stateDict(inner) }
      }
    }
    return try stateDict(index)
  }

  private func stateDict(_ index: Int) throws(Failure) -> [(String, TorchTensorView)] {
    var views: [(String, TorchTensorView)] = []
    for (key, value) in arena.dictionaries[index].entries {
      guard case .string(let name) = key, name != SafetensorsHeader.metadataKey else {
        throw Failure(
          .badData, "\(file.path): the state dict has \(key.kind) as a key that is no tensor's name")
      }
      guard case .tensor(let tensor) = value else {
        let advice =
          if case .dictionary = value {
            "; in a whole checkpoint the state dict is looked for under \(Self.stateDictKeys.joined(separator: ", "))"
          } else {
            ""
          }
        throw Failure(.badData, "\(file.path): entry \(name.quoted) is \(value.kind), not a tensor\(advice)")
      }
      views.append((name, arena.tensors[tensor]))
    }
    return views
  }
}

/// Reads tensors of a file, of each no more than the stretch of its storage that it lies in.
private final class TorchTensorReader: Sendable {
  private let archive: TorchArchive
  /// Offsets of the storages whose checksums were found right.
  private let verified = Mutex<Set<Int>>([])

  /// Bytes that are checked at a time.
  private static let pieceByteCount = 1 << 20

  init(_ archive: TorchArchive) { self.archive = archive }

  func tensor(_ view: TorchTensorView) throws(Failure) -> Tensor {
    let location = try archive.locate(view)
    let isWhole = location.spanBytes == location.payloadBytes
    if !isWhole { try verify(location, view) }
    let bytes = try archive.file.read(at: location.payloadOffset, count: location.spanBytes)
    if isWhole, let crc32 = location.storageCRC, CRC32.checksum(bytes) != crc32 { throw damaged(view) }
    return Tensor(
      elementType: location.elementType, shape: view.shape,
      bytes: view.isContiguous
        ? bytes : view.gather(from: bytes, elementByteCount: location.elementType.byteCount))
  }

  private func verify(_ location: TorchFile.TensorLocation, _ view: TorchTensorView) throws(Failure) {
    guard let crc32 = location.storageCRC, verified.withLock({ !$0.contains(location.storageOffset) }) else {
      return
    }
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceByteCount, alignment: 64)
    defer { piece.deallocate() }
    let checksum = try archive.file.checksum(
      of: location.storageOffset..<(location.storageOffset + location.payloadBytes), by: piece)
    guard checksum == crc32 else { throw damaged(view) }
    _ = verified.withLock { $0.insert(location.storageOffset) }
  }

  private func damaged(_ view: TorchTensorView) -> Failure {
    let name = "data/\(archive.arena.storages[view.storage].key)".quoted
    return Failure(.badData, "\(archive.file.path): \(name) is damaged: its CRC-32 does not match")
  }
}
