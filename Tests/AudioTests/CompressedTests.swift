import Audio
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite("FLAC, Ogg and MP3")
struct CompressedTests {
  let folder = TemporaryFolder()

  @Test("become the samples that soundfile and ffmpeg make of them", arguments: SoundFixture.all)
  func reference(_ fixture: SoundFixture) throws {
    let result = try decode(fixture.path)
    let expected = try fixture.reference()
    #expect(maximumDifference(result.samples, expected) <= (fixture.isLossless ? 0 : 1e-4))
    #expect(result.rate == fixture.rate)
    #expect(result.channels == fixture.channels)
    #expect(try SoundFile(path: fixture.path).frames == expected.count / fixture.channels)
  }

  @Test("give the same bits whatever the block, and from any frame on", arguments: SoundFixture.all)
  func seeking(_ fixture: SoundFixture) throws {
    let samples = try decode(fixture.path).samples
    let frames = samples.count / fixture.channels
    for block in [1, 577, 100_000] { #expect(try decode(fixture.path, block: block).samples == samples) }
    var file = try SoundFile(path: fixture.path)
    var random = SeededGenerator(seed: 14)
    for frame in [frames, 0, frames - 1] + (0..<30).map({ _ in Int.random(in: 0..<frames, using: &random) }) {
      try file.seek(toFrame: frame)
      var part = [Float](repeating: 0, count: fixture.channels * 700)
      let count = try part.withUnsafeMutableBufferPointer { try file.read(into: $0) }
      #expect(count == min(700, frames - frame))
      let start = frame * fixture.channels
      #expect(part[..<(count * fixture.channels)] == samples[start..<start + count * fixture.channels])
    }
    expectFailure(saying: "has \(frames) frames, where frame \(frames + 1) is wanted") {
      try decode(fixture.path, from: frames + 1).samples
    }
  }

  @Test("may be members of an archive", arguments: SoundFixture.all)
  func members(_ fixture: SoundFixture) throws {
    let bytes = try SoundFixture.bytes(fixture.name)
    let path = try folder.write([UInt8](repeating: 0x4F, count: 999) + bytes + bytes)
    #expect(try decode(path, range: 999..<(999 + bytes.count)).samples == decode(fixture.path).samples)
  }

  @Test("that are cut short are refused, unless what there is of them is wanted", arguments: SoundFixture.all)
  func truncated(_ fixture: SoundFixture) throws {
    let bytes = try SoundFixture.bytes(fixture.name)
    let whole = try fixture.reference()
    var accepted = 0
    for end in stride(from: bytes.count - 1, to: 0, by: -max(1, bytes.count / 25)) + [1, 3, 4, 27, 28] {
      let path = try folder.write(bytes[..<end])
      // A file without a tag may end with any of its MPEG frames.
      if let samples = try? decode(path).samples {
        #expect(fixture.name.hasPrefix("mp3-plain") || fixture.name.hasPrefix("mp3-untold"), "\(end)")
        #expect(samples.count < whole.count)
      } else {
        expectFailure(saying: path) { try decode(path) }
      }
      guard let samples = try? decode(path, truncated: .accept).samples else { continue }
      accepted += 1
      // What a tag says of the padding at the end is true of the whole file alone.
      #expect(samples.count <= whole.count + 1_152 * fixture.channels)
      let count = min(samples.count, whole.count)
      #expect(maximumDifference(Array(samples[..<count]), Array(whole[..<count])) <= 1e-4, "\(end)")
    }
    #expect(accepted > 0 || fixture.name == "opus-stereo.opus")
  }

  @Test("FLAC of which only the decoder knows the length is read to its end")
  func streamedFLAC() throws {
    let path = SoundFixture.path("flac-streamed.flac")
    #expect(try SoundFile(path: path).frames == nil)
    #expect(try decode(path).samples == decode(SoundFixture.path("flac16.flac")).samples)
    let bytes = try SoundFixture.bytes("flac-streamed.flac")
    let cut = try folder.write(bytes[..<(bytes.count * 3 / 4)])
    expectFailure(saying: "is damaged or cut short after") { try decode(cut) }
    #expect(try decode(cut, truncated: .accept).samples.count > 0)
  }

  @Test("FLAC whose header lies about the length is refused or read as far as it says")
  func lyingFLAC() throws {
    var bytes = try SoundFixture.bytes("flac16.flac")
    let frames = try decode(SoundFixture.path("flac16.flac")).samples
    bytes[25] &+= 1
    let longer = try folder.write(bytes)
    expectFailure(saying: "8000 of the 8001 frames of its header can be decoded") { try decode(longer) }
    #expect(try decode(longer, truncated: .accept).samples == frames)
    bytes[21] |= 0x0F
    let endless = try folder.write(bytes)
    expectFailure(saying: "is longer than the 7200 seconds that are read") { try decode(endless) }
  }

  @Test("FLAC that is damaged is refused")
  func damagedFLAC() throws {
    var bytes = try SoundFixture.bytes("flac16.flac")
    for index in bytes.count / 2..<bytes.count / 2 + 3 { bytes[index] ^= 0x5A }
    let path = try folder.write(bytes)
    expectFailure(saying: "is damaged or cut short") { try decode(path) }
  }

  @Test("behind an ID3 tag are found")
  func tags() throws {
    // A tag of 300 bytes: its length in four times seven bits.
    let tag = Array("ID3".utf8) + [4, 0, 0, 0, 0, 2, 44] + [UInt8](repeating: 0, count: 300)
    for name in ["flac16.flac", "mp3-tag.mp3", "mp3-plain.mp3"] {
      let path = try folder.write(tag + tag + SoundFixture.bytes(name))
      #expect(try decode(path).samples == decode(SoundFixture.path(name)).samples)
    }
    let path = try folder.write(
      Array("ID3".utf8) + [4, 0, 0, 0x7F, 0x7F, 0x7F, 0x7F] + SoundFixture.bytes("mp3-tag.mp3"))
    expectFailure(saying: path) { try decode(path, truncated: .accept) }
  }
}
