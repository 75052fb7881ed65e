import Diagnostics

/// Writes the pickles of PyTorch files, protocol 2, without a memo.
///
/// - Precondition: PyTorch has a storage class for every tensor's type.
struct PickleWriter {
  private(set) var bytes: [UInt8] = [PickleOpcode.protocolVersion.rawValue, 2]

  /// One tensor whose storage is the member `data/0`.
  static func tensor(_ tensor: TensorDescription) -> [UInt8] {
    var writer = PickleWriter()
    writer.write(tensor, key: "0")
    writer.write(.stop)
    return writer.bytes
  }

  /// An OrderedDict whose tensors' storages are the members `data/0`, `data/1`, …
  ///
  /// - Parameter aliases: further names of tensors that are stored under another one.
  static func stateDict(
    _ tensors: [(name: String, tensor: TensorDescription)], aliases: [(name: String, stored: String)]
  ) -> [UInt8] {
    let keys = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
    let entries = tensors.indices.map { (tensors[$0].name, $0) } + aliases.map { ($0.name, keys[$0.stored]!) }
    var writer = PickleWriter()
    writer.writeEmptyOrderedDictionary()
    // Batches as Python's own pickler makes them: a reader's stack stays small.
    for start in stride(from: 0, to: entries.count, by: 1000) {
      writer.write(.mark)
      for (name, key) in entries[start..<min(start + 1000, entries.count)] {
        writer.write(string: name)
        writer.write(tensors[key].tensor, key: String(key))
      }
      writer.write(.setItems)
    }
    writer.write(.stop)
    return writer.bytes
  }

  /// `_rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict())`
  private mutating func write(_ tensor: TensorDescription, key: String) {
    write(.rebuildTensor)
    write(.mark)
    write(.mark)
    write(string: "storage")
    write(.storage(tensor.elementType))
    write(string: key)
    write(string: "cpu")
    write(integer: tensor.byteCount / tensor.elementType.byteCount)
    write(.tuple)
    write(.binPersistentID)
    write(integer: 0)
    write(tuple: tensor.shape)
    write(tuple: tensor.cOrderStride)
    write(.newFalse)
    writeEmptyOrderedDictionary()
    write(.tuple)
    write(.reduce)
  }

  private mutating func writeEmptyOrderedDictionary() {
    write(.orderedDictionary)
    write(.emptyTuple)
    write(.reduce)
  }

  private mutating func write(_ opcode: PickleOpcode) { bytes.append(opcode.rawValue) }

  private mutating func write(_ global: TorchGlobal) {
    let (module, name) = global.qualifiedName
    write(.global)
    bytes += "\(module)\n\(name)\n".utf8
  }

  private mutating func write(string: String) {
    write(.binUnicode)
    bytes.append(littleEndian: UInt32(string.utf8.count))
    bytes += string.utf8
  }

  private mutating func write(tuple items: [Int]) {
    if items.isEmpty { return write(.emptyTuple) }
    write(.mark)
    for item in items { write(integer: item) }
    write(.tuple)
  }

  private mutating func write(integer value: Int) {
    switch value {
    case 0...0xFF:
      write(.binInt1)
      bytes.append(UInt8(value))
    case 0...0xFFFF:
      write(.binInt2)
      bytes.append(littleEndian: UInt16(value))
    case Int(Int32.min)...Int(Int32.max):
      write(.binInt)
      bytes.append(littleEndian: Int32(value))
    default:
      write(.long1)
      bytes.append(8)
      bytes.append(littleEndian: Int64(value))
    }
  }
}

extension TensorDescription {
  /// Elements from one index to the next, per dimension, as PyTorch gives them for a contiguous tensor (where a
  /// dimension of zero counts as one).
  fileprivate var cOrderStride: [Int] {
    var stride = Array(repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      stride[axis] = stride[axis + 1] * max(1, shape[axis + 1])
    }
    return stride
  }
}

extension TorchFile {
  /// Writes one tensor as `torch.save(tensor, path)` does, atomically; `torch.load` reads it also with
  /// `weights_only=True` and `mmap=True`. Equal tensors give equal bytes.
  ///
  /// - Throws: `.inputOutput`, or `.badData` for U16, U32 and U64, for which PyTorch has no storage class.
  public static func writeTensor(_ tensor: Tensor, to path: String) throws(Failure) {
    try checkStorageClass(of: tensor.elementType, path: path)
    let description = TensorDescription(elementType: tensor.elementType, shape: tensor.shape)
    try write(pickle: PickleWriter.tensor(description), payloadByteCounts: [tensor.bytes.count], to: path) {
      _ in
      tensor.bytes
    }
  }

  /// Writes a state dict (an `OrderedDict` from names to tensors, in their order) as `torch.save` does, atomically and
  /// a tensor at a time. Shared tensors come under each of their names and are stored once, as PyTorch has them. The
  /// format has no place for other metadata.
  ///
  /// - Throws: as `writeTensor`, and what reading the tensors throws.
  public static func writeStateDict(_ tensors: some TensorSource, to path: String) throws(Failure) {
    let stored = tensors.names.map { ($0, tensors.description(of: $0)!) }
    for (_, tensor) in stored { try checkStorageClass(of: tensor.elementType, path: path) }
    let names = tensors.names
    try write(
      pickle: PickleWriter.stateDict(stored, aliases: tensors.aliases),
      payloadByteCounts: stored.map(\.1.byteCount),
      to: path
    ) { index throws(Failure) in try tensors.tensor(names[index]).bytes }
  }

  private static func checkStorageClass(of elementType: ElementType, path: String) throws(Failure) {
    guard elementType.torchStorageName == nil else { return }
    throw Failure(
      .badData, "\(path): PyTorch has no storage class for \(elementType.rawValue); convert the tensor first")
  }

  /// The members and their order as `torch.save` has them, in the folder that it uses when it does not know the
  /// file's name, so that the bytes do not depend on the path. Each payload is asked for twice: its checksum stands
  /// before it.
  private static func write(
    pickle: [UInt8], payloadByteCounts: [Int], to path: String, payload: (Int) throws(Failure) -> [UInt8]
  ) throws(Failure) {
    var members = [
      ZipLayout.Member(name: "archive/data.pkl", byteCount: pickle.count, crc32: CRC32.checksum(pickle)),
      member("archive/byteorder", byteOrder),
    ]
    for (index, byteCount) in payloadByteCounts.enumerated() {
      let checksum = CRC32.checksum(try payload(index))
      members.append(ZipLayout.Member(name: "archive/data/\(index)", byteCount: byteCount, crc32: checksum))
    }
    members.append(member("archive/version", version))
    let layout = ZipLayout(members)
    try FileWriting.writeAtomically(to: path) { sink throws(Failure) in
      for (index, header) in layout.localHeaders.enumerated() {
        try sink.write(header)
        switch index {
        case 0: try sink.write(pickle)
        case 1: try sink.write(byteOrder)
        case members.count - 1: try sink.write(version)
        default: try sink.write(try payload(index - 2))
        }
      }
      try sink.write(layout.directory)
    }
  }

  private static let byteOrder = Array("little".utf8)
  private static let version = Array("3\n".utf8)

  private static func member(_ name: String, _ bytes: [UInt8]) -> ZipLayout.Member {
    ZipLayout.Member(name: name, byteCount: bytes.count, crc32: CRC32.checksum(bytes))
  }
}
