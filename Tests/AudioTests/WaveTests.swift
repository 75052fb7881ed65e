import Audio
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite("A WAV file")
struct WaveTests {
  let folder = TemporaryFolder()

  /// Units of an encoding's integers, or 1, and their samples.
  private func values(_ encoding: WaveBytes.Encoding, _ count: Int) -> (units: [Double], samples: [Float]) {
    let numbers = noise(count)
    switch encoding {
    case .unsigned8:
      let units = [0, 255, 128, 127] + numbers.map { (128 + 127 * $0).rounded() }
      return (units, units.map { Float(($0 - 128) / 128) })
    case .integer16, .integer24, .integer32:
      let scale = Double(1 << (encoding.bits - 1))
      let units = [-scale, scale - 1, 0, -1, 1] + numbers.map { ($0 * (scale - 1)).rounded() }
      return (units, units.map { Float($0 / scale) })
    case .float32, .float64:
      let units = [0, -1, 1, 3.5, 1e-30] + numbers
      return (units, units.map { Float($0) })
    }
  }

  @Test("gives exactly the samples of each encoding", arguments: WaveBytes.Encoding.allCases, [false, true])
  func encodings(_ encoding: WaveBytes.Encoding, isExtensible: Bool) throws {
    let (units, samples) = values(encoding, 40_000)
    var wave = WaveBytes(encoding, units, rate: 22_050)
    wave.isExtensible = isExtensible
    let result = try decode(folder.write(wave.bytes))
    #expect(result.samples == samples)
    #expect(result.rate == 22_050)
    #expect(result.channels == 1)
  }

  @Test("gives the same samples whatever the block, and from any frame on")
  func seeking() throws {
    let (units, samples) = values(.integer24, 9_000)
    let whole = samples[..<(samples.count / 3 * 3)]
    let path = try folder.write(WaveBytes(.integer24, Array(units[..<whole.count]), channels: 3).bytes)
    for block in [1, 7, 2_000, 100_000] { #expect(try decode(path, block: block).samples == Array(whole)) }
    for frame in [0, 1, 100, whole.count / 3] {
      #expect(try decode(path, from: frame).samples == Array(whole[(3 * frame)...]))
    }
    expectFailure(saying: "frame 3002 is wanted") { try decode(path, from: whole.count / 3 + 1).samples }
    var file = try SoundFile(path: path)
    #expect(file.frames == whole.count / 3)
    #expect(file.kind == .wav)
    try file.seek(toFrame: 50)
    try file.seek(toFrame: 3)
    #expect(try rest(of: &file) == Array(whole[9...]))
  }

  @Test("may have chunks of any length before, between and behind, padded to an even number")
  func chunks() throws {
    var wave = WaveBytes(.unsigned8, [1, 2, 3])
    wave.before = WaveBytes.chunk("JUNK", Array(repeating: 7, count: 101)) + WaveBytes.chunk("bext", [])
    wave.between =
      WaveBytes.chunk("LIST", Array("INFOdata".utf8) + [9, 0, 0, 0, 1]) + WaveBytes.chunk("fact", [1, 2])
    wave.after = WaveBytes.chunk("LIST", Array("INFO".utf8))
    #expect(try decode(folder.write(wave.bytes)).samples == [-127 / 128, -126 / 128, -125 / 128])
  }

  @Test(
    "of a length that was not known when it was written goes on to its end",
    arguments: [0, 0xFFFF_FFFF, 0x7FFF_F000])
  func streamed(_ size: UInt32) throws {
    var wave = WaveBytes(.integer16, [16_384, -16_384, 0])
    (wave.dataSize, wave.riffSize) = (size, size)
    #expect(try decode(folder.write(wave.bytes)).samples == [0.5, -0.5, 0])
    wave.data.removeLast()
    let path = try folder.write(wave.bytes)
    expectFailure(saying: "it ends within a sample") { try decode(path) }
    #expect(try decode(path, truncated: .accept).samples == [0.5, -0.5])
  }

  @Test("of more than 4 GiB tells its length in a chunk of its own", arguments: ["RF64", "BW64"])
  func long(_ magic: String) throws {
    var wave = WaveBytes(.integer16, [16_384, -16_384, 0])
    (wave.magic, wave.dataSize, wave.riffSize) = (magic, .max, .max)
    wave.before = WaveBytes.chunk(
      "ds64", WaveBytes.bytes(99, 8) + WaveBytes.bytes(4, 8) + WaveBytes.bytes(2, 8))
    #expect(try decode(folder.write(wave.bytes)).samples == [0.5, -0.5])
    wave.before = WaveBytes.chunk("ds64", [UInt8](repeating: 0xFF, count: 24))
    let path = try folder.write(wave.bytes)
    expectFailure(saying: "is cut short: 6 of the 9223372036854775807 bytes") { try decode(path) }
  }

  @Test("that is cut short is refused, unless what there is of it is wanted")
  func truncated() throws {
    let bytes = WaveBytes(.integer16, [16_384, -16_384, 8_192, 0]).bytes
    for missing in 1...7 {
      let path = try folder.write(bytes.dropLast(missing))
      expectFailure(
        saying: "\(8 - missing) of the 8 bytes of its samples are there; \"audio.truncated: accept\""
      ) {
        try decode(path)
      }
      let samples: [Float] = [0.5, -0.5, 0.25, 0]
      let there = (8 - missing) / 2
      if there > 0 {
        #expect(try decode(path, truncated: .accept).samples == Array(samples[..<there]))
      } else {
        expectFailure(saying: "has no samples") { try decode(path, truncated: .accept) }
      }
    }
    for count in 0..<(bytes.count - 8) {
      let path = try folder.write(bytes[..<count])
      expectFailure(saying: path) { try decode(path, truncated: .accept) }
    }
  }

  @Test(
    "of another coding is refused by its name, whatever its samples are",
    arguments: [
      (2, "Microsoft ADPCM"), (6, "A-law"), (7, "mu-law"), (0x11, "IMA ADPCM"), (0x31, "GSM 06.10"),
      (0x55, "MP3"),
      (0, "format 0"), (0x1234, "format 4660"),
    ])
  func otherCodings(_ tag: UInt16, _ name: String) throws {
    for isExtensible in [false, true] {
      var wave = WaveBytes(.integer16, [1, 2, 3])
      (wave.tag, wave.isExtensible) = (tag, isExtensible)
      let path = try folder.write(wave.bytes)
      expectFailure(saying: "is a WAV of \(name), where PCM and floating point are read") { try decode(path) }
    }
  }

  @Test("whose header is impossible is refused with what is wrong in it")
  func impossible() throws {
    func refuse(_ words: String, _ change: (inout WaveBytes) -> Void) throws {
      var wave = WaveBytes(.integer16, [1, 2, 3, 4])
      change(&wave)
      let path = try folder.write(wave.bytes)
      for policy in AudioSettings.Truncated.allCases {
        expectFailure(saying: words) { try decode(path, truncated: policy) }
      }
    }
    try refuse("has 1024 channels, where 1 to 16 are read") { $0.channels = 1_024 }
    try refuse("is a WAV of 0 channels") { $0.channels = 0 }
    try refuse("has 2000000000 samples a second, where 4000 to 192000 are read") { $0.rate = 2_000_000_000 }
    try refuse("has 0 samples a second") { $0.rate = 0 }
    try refuse("is a WAV of 12 bits") { $0.bits = 12 }
    try refuse("is a WAV of 0 bits") { $0.bits = 0 }
    try refuse("is a WAV of 16-bit floating point") { $0.tag = 3 }
    try refuse("has no samples") { $0.data = [] }
    try refuse("without samples: there is no \"data\" chunk") {
      $0.between = WaveBytes.chunk("LIST", [1, 2], size: 0x7FFF_FFFF)
    }
    try refuse("without samples: there is no \"data\" chunk") {
      $0.between = Array(repeating: WaveBytes.chunk("JUNK", []), count: 10_001).flatMap { $0 }
    }
    try refuse("come before a \"fmt \" chunk") { $0.before = WaveBytes.chunk("data", [1, 2]) }
    var wave = WaveBytes(.integer16, [1, 2, 3, 4])
    wave.isExtensible = true
    var bytes = wave.bytes
    bytes[46] ^= 1
    let path = try folder.write(bytes)
    expectFailure(saying: "extensible format that is neither") { try decode(path) }
    bytes = WaveBytes(.integer16, [1, 2, 3, 4]).bytes
    bytes[32] = 3
    let other = try folder.write(bytes)
    expectFailure(saying: "contradicts itself: 1 channels of 16 bits in 3 bytes") { try decode(other) }
  }

  @Test("with a sample that is no finite number is refused with its place")
  func nonFinite() throws {
    for (encoding, value, words) in [
      (WaveBytes.Encoding.float32, Double.nan, "sample 1500 of channel 1 is not a number"),
      (.float32, .infinity, "sample 1500 of channel 1 is infinite"),
      (.float64, -.infinity, "sample 1500 of channel 1 is infinite"),
      (.float64, 1e300, "sample 1500 of channel 1 is infinite"),
    ] {
      var values = noise(4_000)
      values[3_001] = value
      let path = try folder.write(WaveBytes(encoding, values, channels: 2).bytes)
      expectFailure(saying: words) { try decode(path) }
      expectFailure(saying: words) { try decode(path, from: 1_300) }
      #expect(try decode(path, from: 1_501).samples == values[3_002...].map { Float($0) })
    }
  }

  @Test("beyond the limits of length and size is refused")
  func limits() throws {
    let path = try folder.write(WaveBytes(.integer16, [Double](repeating: 0, count: 16_001)).bytes)
    var limits = SoundFile.Limits()
    limits.seconds = 1
    expectFailure(saying: "is longer than the 1 seconds") { _ = try SoundFile(path: path, limits: limits) }
    limits.seconds = 2
    limits.bytes = 32_045
    expectFailure(saying: "has 32046 bytes, where 1 to 32045 are read") {
      _ = try SoundFile(path: path, limits: limits)
    }
  }

  @Test("may be a member of an archive: a stretch of a file")
  func member() throws {
    let wave = WaveBytes(.integer16, [16_384, -16_384]).bytes
    let path = try folder.write([1, 2, 3] + wave + wave)
    #expect(try decode(path, range: 3..<(3 + wave.count)).samples == [0.5, -0.5])
    expectFailure(saying: "is cut short: 3 of the 4 bytes") { try decode(path, range: 3..<(2 + wave.count)) }
    expectFailure(saying: "where a sound was to end at byte 1000") { try decode(path, range: 3..<1_000) }
  }

  @Test("that becomes shorter while it is read is an error and no end of the process")
  func shrinking() throws {
    let path = try folder.write(WaveBytes(.integer16, noise(50_000).map { ($0 * 1_000).rounded() }).bytes)
    expectFailure(.inputOutput, saying: "became shorter while it was read") {
      var file = try SoundFile(path: path)
      #expect(truncate(path, 5_000) == 0)
      return try rest(of: &file)
    }
  }
}
