import Diagnostics

/// What a WAV file says of its samples, and where they are.
///
/// A WAV is a RIFF file: chunks of a name, a length and so many bytes, padded to an even number. Of these `fmt `,
/// `data` and, in a file of more than 4 GiB (RF64, EBU Tech 3306), `ds64` are looked at. Lengths are only ever
/// compared with the file's own.
struct WaveHeader {
  /// How a sample is written, in little-endian bytes.
  enum Encoding: Int {
    case unsigned8, integer16, integer24, integer32, float32, float64

    var bytes: Int {
      switch self {
      case .unsigned8: 1
      case .integer16: 2
      case .integer24: 3
      case .integer32, .float32: 4
      case .float64: 8
      }
    }
  }

  let encoding: Encoding
  let channels: Int
  let rate: Int
  /// The first sample's byte.
  let offset: Int
  /// Frames that are there.
  let frames: Int
  /// What is missing of those that were promised.
  let shortfall: String?

  var bytesPerFrame: Int { channels * encoding.bytes }

  /// - Throws: `.badData` for a header that is damaged or speaks of what is not read.
  init(_ bytes: SoundBytes) throws(Failure) {
    let path = bytes.path
    let isLong = try !bytes.bytes(at: 0, atMost: 4).has("RIFF")
    var long: UInt64?
    var format: [UInt8]?
    var position = 12
    for _ in 0..<Self.mostChunks {
      let head = try bytes.bytes(at: position, atMost: 8)
      guard head.count == 8 else { break }
      let size = Int(head.unsigned(at: 4, size: 4))
      position += 8
      if head.has("data") {
        guard let format else {
          throw Failure(
            .badData, "\(path): the WAV's samples come before a \"fmt \" chunk says what they are")
        }
        let promised = size == 0xFFFF_FFFF && isLong ? long.map { Int(clamping: $0) } : size
        self.init(try Format(format, path), promised, from: position, of: bytes.count)
        return
      }
      if head.has("fmt "), format == nil {
        format = try bytes.bytes(at: position, atMost: min(size, 40))
      } else if head.has("ds64") {
        let sizes = try bytes.bytes(at: position, atMost: min(size, 16))
        if sizes.count == 16 { long = sizes.unsigned(at: 8, size: 8) }
      }
      position += size + size % 2
    }
    throw Failure(.badData, "\(path): is a WAV without samples: there is no \"data\" chunk in it")
  }

  /// - Parameter promised: the data chunk's length; nil if it is not told.
  private init(_ format: Format, _ promised: Int?, from offset: Int, of byteCount: Int) {
    (encoding, channels, rate) = (format.encoding, format.channels, format.rate)
    self.offset = offset
    let there = max(0, byteCount - offset)
    let bytesPerFrame = format.channels * format.encoding.bytes
    // What is written to a pipe cannot know its length: 0 or the greatest number, of SoX the one in the middle. Kaldi
    // has the same list.
    if let promised, ![0, 0xFFFF_FFFF, 0x7FFF_F000].contains(promised) {
      frames = min(there, promised) / bytesPerFrame
      shortfall =
        promised > there ? "is cut short: \(there) of the \(promised) bytes of its samples are there" : nil
    } else {
      frames = there / bytesPerFrame
      shortfall = there % bytesPerFrame == 0 ? nil : "is cut short: it ends within a sample"
    }
  }

  /// Far more than any file has; a loop over chunks of nothing has to end.
  private static let mostChunks = 10_000
}

/// The `fmt ` chunk.
private struct Format {
  let encoding: WaveHeader.Encoding
  let channels: Int
  let rate: Int

  init(_ bytes: [UInt8], _ path: String) throws(Failure) {
    guard bytes.count >= 16 else {
      throw Failure(
        .badData, "\(path): the WAV's \"fmt \" chunk has \(bytes.count) bytes, where 16 are needed")
    }
    var tag = Int(bytes.unsigned(at: 0, size: 2))
    channels = Int(bytes.unsigned(at: 2, size: 2))
    rate = Int(bytes.unsigned(at: 4, size: 4))
    let block = Int(bytes.unsigned(at: 12, size: 2))
    let bits = Int(bytes.unsigned(at: 14, size: 2))
    if tag == 0xFFFE {
      guard bytes.count == 40, Array(bytes[26...]) == Self.identifierEnd else {
        throw Failure(
          .badData, "\(path): is a WAV of an extensible format that is neither PCM nor floating point")
      }
      tag = Int(bytes.unsigned(at: 24, size: 2))
    }
    switch (tag, bits) {
    case (1, 8): encoding = .unsigned8
    case (1, 16): encoding = .integer16
    case (1, 24): encoding = .integer24
    case (1, 32): encoding = .integer32
    case (3, 32): encoding = .float32
    case (3, 64): encoding = .float64
    case (1, _): throw Failure(.badData, "\(path): is a WAV of \(bits) bits, where 8, 16, 24 and 32 are read")
    case (3, _):
      throw Failure(
        .badData, "\(path): is a WAV of \(bits)-bit floating point, where 32 and 64 bits are read")
    default:
      let name = Self.names[tag] ?? "format \(tag)"
      throw Failure(
        .badData,
        "\(path): is a WAV of \(name), where PCM and floating point are read; "
          + "convert it: ffmpeg -i IN -c:a pcm_s16le OUT.wav")
    }
    guard channels > 0 else { throw Failure(.badData, "\(path): is a WAV of 0 channels") }
    guard block == channels * encoding.bytes else {
      throw Failure(
        .badData,
        "\(path): the WAV's header contradicts itself: \(channels) channels of \(bits) bits in \(block) bytes"
      )
    }
  }

  /// The end of `KSDATAFORMAT_SUBTYPE_PCM` and `_IEEE_FLOAT`, whose first two bytes are the tag.
  private static let identifierEnd: [UInt8] = [
    0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71,
  ]

  /// Those that people meet, of the list in RFC 2361.
  private static let names = [
    0x02: "Microsoft ADPCM", 0x06: "A-law", 0x07: "mu-law", 0x11: "IMA ADPCM", 0x14: "G.723 ADPCM",
    0x16: "G.722 ADPCM", 0x31: "GSM 06.10", 0x40: "G.721 ADPCM", 0x45: "G.726 ADPCM", 0x50: "MPEG audio",
    0x55: "MP3", 0xFF: "AAC", 0x161: "WMA", 0x674F: "Vorbis", 0xF1AC: "FLAC",
  ]
}
