import Foundation
import TestSupport
import Testing

/// The sounds among the fixtures, and what their bytes become when a test changes them.
struct SoundFixture: Sendable, CustomTestStringConvertible {
  let name: String
  let rate: Int
  let channels: Int
  let isLossless: Bool

  static let all = [
    SoundFixture(name: "flac16.flac", rate: 16_000, channels: 1, isLossless: true),
    SoundFixture(name: "flac24.flac", rate: 44_100, channels: 2, isLossless: true),
    SoundFixture(name: "vorbis.ogg", rate: 16_000, channels: 1, isLossless: false),
    SoundFixture(name: "opus.opus", rate: 16_000, channels: 1, isLossless: false),
    SoundFixture(name: "opus-stereo.opus", rate: 48_000, channels: 2, isLossless: false),
    SoundFixture(name: "mp3-tag.mp3", rate: 16_000, channels: 1, isLossless: false),
    SoundFixture(name: "mp3-plain.mp3", rate: 16_000, channels: 1, isLossless: false),
    SoundFixture(name: "mp3-stereo.mp3", rate: 44_100, channels: 2, isLossless: false),
    SoundFixture(name: "mp3-untold.mp3", rate: 8_000, channels: 1, isLossless: false),
  ]

  var testDescription: String { name }
  var path: String { Self.path(name) }
  var isOgg: Bool { name.hasSuffix(".ogg") || name.hasSuffix(".opus") }

  static func path(_ name: String) -> String {
    Bundle.module.path(forResource: "Fixtures/\(name)", ofType: nil)!
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    Array(try #require(FileManager.default.contents(atPath: path(name))))
  }

  /// What soundfile decodes, interleaved.
  func reference() throws -> [Float] {
    try TensorFixture("sounds", in: Bundle.module).floats("decoded.\(name)")
  }
}

/// Where the pages of an Ogg stream begin.
func oggPages(_ bytes: [UInt8]) -> [Int] {
  bytes.withUnsafeBufferPointer { bytes in
    stride(from: 0, to: bytes.count - 4, by: 1).filter { offset in
      bytes[offset] == 0x4F && bytes[offset..<offset + 5].elementsEqual([0x4F, 0x67, 0x67, 0x53, 0])
    }
  }
}

/// An Ogg stream whose pages have the checksums of what is in them, so that damage gets as far as a library.
func withOggChecksums(_ bytes: [UInt8]) -> [UInt8] {
  var bytes = bytes
  let starts = oggPages(bytes)
  let table = (0..<256).map { index in
    (0..<8).reduce(UInt32(index) << 24) { sum, _ in sum << 1 ^ (sum >> 31 == 1 ? 0x04C1_1DB7 : 0) }
  }
  for (start, end) in zip(starts, starts.dropFirst() + [bytes.count]) where end - start >= 27 {
    for offset in 22..<26 { bytes[start + offset] = 0 }
    let sum = bytes[start..<end].reduce(UInt32(0)) { $0 << 8 ^ table[Int(UInt8($0 >> 24) ^ $1)] }
    for offset in 0..<4 {
      bytes[start + 22 + offset] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(offset)))
    }
  }
  return bytes
}
