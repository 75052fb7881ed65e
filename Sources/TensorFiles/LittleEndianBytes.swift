extension [UInt8] {
  /// The integer whose little-endian bytes start at `offset`.
  ///
  /// - Precondition: they lie within the array; readers of foreign bytes check that first.
  func littleEndian<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value {
    let size = MemoryLayout<Value>.size
    precondition(offset >= 0 && offset <= count - size)
    return withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self)) }
  }

  init<Value: FixedWidthInteger>(littleEndian value: Value) {
    self = Swift.withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
