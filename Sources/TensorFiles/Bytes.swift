import CZlib

/// The checksum of zip and PNG: CRC-32 with polynomial 0xEDB88320, as zlib computes it.
package enum CRC32 {
  /// The checksum of `bytes`, or of everything so far and `bytes` behind it.
  package static func checksum(_ bytes: UnsafeRawBufferPointer, continuing checksum: UInt32 = 0) -> UInt32 {
    // Without bytes zlib would take a null pointer for the question what to start with.
    guard let base = bytes.baseAddress else { return checksum }
    return UInt32(
      truncatingIfNeeded: crc32_z(UInt(checksum), base.assumingMemoryBound(to: UInt8.self), bytes.count))
  }

  /// The checksum of `bytes`.
  package static func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { checksum($0) } }
}

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
