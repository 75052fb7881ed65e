/// Writes the pickles of PyTorch files, protocol 2, without a memo.
///
/// - Precondition: PyTorch has a storage class for every tensor's type.
struct PickleWriter {
  private(set) var bytes: [UInt8] = [PickleOpcode.protocolVersion.rawValue, 2]

  /// One tensor whose storage is the member `data/0`.
  static func tensor(_ tensor: Tensor) -> [UInt8] {
    var writer = PickleWriter()
    writer.write(tensor, key: "0")
    writer.write(.stop)
    return writer.bytes
  }

  /// An OrderedDict whose tensors' storages are the members `data/0`, `data/1`, …
  static func stateDict(_ tensors: NamedTensors) -> [UInt8] {
    var writer = PickleWriter()
    writer.writeEmptyOrderedDictionary()
    // Batches as Python's own pickler makes them: a reader's stack stays small.
    for start in stride(from: 0, to: tensors.count, by: 1000) {
      writer.write(.mark)
      for position in start..<min(start + 1000, tensors.count) {
        let (name, tensor) = tensors[position]
        writer.write(string: name)
        writer.write(tensor, key: String(position))
      }
      writer.write(.setItems)
    }
    writer.write(.stop)
    return writer.bytes
  }

  /// `_rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict())`
  private mutating func write(_ tensor: Tensor, key: String) {
    write(.rebuildTensor)
    write(.mark)
    write(.mark)
    write(string: "storage")
    write(.storage(tensor.elementType))
    write(string: key)
    write(string: "cpu")
    write(integer: tensor.elementCount)
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

extension Tensor {
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
