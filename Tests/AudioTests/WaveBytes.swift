/// The bytes of a WAV file that a test writes, right or wrong.
struct WaveBytes {
  /// How samples are written: a `fmt ` chunk's tag and bits.
  enum Encoding: CaseIterable {
    case unsigned8, integer16, integer24, integer32, float32, float64

    var tag: UInt16 { self == .float32 || self == .float64 ? 3 : 1 }

    var bits: Int {
      switch self {
      case .unsigned8: 8
      case .integer16: 16
      case .integer24: 24
      case .integer32, .float32: 32
      case .float64: 64
      }
    }
  }

  var tag: UInt16 = 1
  var channels = 1
  var rate = 16_000
  var bits = 16
  var data: [UInt8] = []
  /// What the data chunk's header says; nil for the truth.
  var dataSize: UInt32?
  var riffSize: UInt32?
  var magic = "RIFF"
  /// Whether the format is told by an identifier.
  var isExtensible = false
  /// What stands before and behind the `fmt ` chunk, whole chunks.
  var before: [UInt8] = []
  var between: [UInt8] = []
  /// What stands behind the samples.
  var after: [UInt8] = []

  init() {}

  /// A file of integers, already in the encoding's units, or of floating point.
  init(_ encoding: Encoding, _ values: [Double], channels: Int = 1, rate: Int = 16_000) {
    (tag, bits, self.channels, self.rate) = (encoding.tag, encoding.bits, channels, rate)
    for value in values {
      switch encoding {
      case .unsigned8: data.append(UInt8(value))
      case .integer16: data += Self.bytes(UInt64(bitPattern: Int64(value)), 2)
      case .integer24: data += Self.bytes(UInt64(bitPattern: Int64(value)), 3)
      case .integer32: data += Self.bytes(UInt64(bitPattern: Int64(value)), 4)
      case .float32: data += Self.bytes(UInt64(Float(value).bitPattern), 4)
      case .float64: data += Self.bytes(value.bitPattern, 8)
      }
    }
  }

  var bytes: [UInt8] {
    var format = Self.bytes(isExtensible ? 0xFFFE : UInt64(tag), 2) + Self.bytes(UInt64(channels), 2)
    let block = channels * bits / 8
    format += Self.bytes(UInt64(rate), 4) + Self.bytes(UInt64(truncatingIfNeeded: rate * block), 4)
    format += Self.bytes(UInt64(truncatingIfNeeded: block), 2) + Self.bytes(UInt64(bits), 2)
    if isExtensible {
      format +=
        Self.bytes(22, 2) + Self.bytes(UInt64(bits), 2) + Self.bytes(0, 4) + Self.bytes(UInt64(tag), 2)
      format += [0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71]
    }
    var body = Array("WAVE".utf8) + before + Self.chunk("fmt ", format) + between
    body += Array("data".utf8) + Self.bytes(UInt64(dataSize ?? UInt32(data.count)), 4) + data
    if data.count % 2 == 1, !after.isEmpty { body.append(0) }
    body += after
    return Array(magic.utf8) + Self.bytes(UInt64(riffSize ?? UInt32(body.count)), 4) + body
  }

  static func chunk(_ name: String, _ content: [UInt8], size: UInt32? = nil) -> [UInt8] {
    Array(name.utf8) + bytes(UInt64(size ?? UInt32(content.count)), 4) + content
      + (content.count % 2 == 1 ? [0] : [])
  }

  static func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
  }
}
