/// The CRC-32 of zip, gzip and PNG (polynomial 0xEDB88320), eight bytes a round ("slicing-by-8", Kounavis and
/// Berry, ISCC 2005).
enum CRC32 {
  /// The checksum of some bytes.
  static func of(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBytes { buffer in
      tables.withUnsafeBufferPointer { t in
        var crc = ~UInt32(0)
        var i = 0
        while i + 8 <= buffer.count {
          let word = UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: i, as: UInt64.self))
          let low = crc ^ UInt32(truncatingIfNeeded: word), high = UInt32(truncatingIfNeeded: word >> 32)
          let a = t[7 << 8 | Int(low & 255)] ^ t[6 << 8 | Int(low >> 8 & 255)]
          let b = t[5 << 8 | Int(low >> 16 & 255)] ^ t[4 << 8 | Int(low >> 24)]
          let c = t[3 << 8 | Int(high & 255)] ^ t[2 << 8 | Int(high >> 8 & 255)]
          let d = t[1 << 8 | Int(high >> 16 & 255)] ^ t[Int(high >> 24)]
          crc = a ^ b ^ c ^ d
          i += 8
        }
        while i < buffer.count {
          crc = t[Int(UInt8(truncatingIfNeeded: crc) ^ buffer[i])] ^ (crc >> 8)
          i += 1
        }
        return ~crc
      }
    }
  }

  /// Table k maps a byte to its checksum k bytes further on; eight tables of 256.
  private static let tables: [UInt32] = {
    var tables = (0..<UInt32(256)).map { byte in
      var crc = byte
      for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1 }
      return crc
    }
    for index in 256..<2_048 {
      let before = tables[index - 256]
      tables.append(tables[Int(before & 255)] ^ (before >> 8))
    }
    return tables
  }()
}
