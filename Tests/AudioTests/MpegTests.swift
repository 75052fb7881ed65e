import Audio
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite("An MP3 file")
struct MpegTests {
  let folder = TemporaryFolder()

  @Test("whose tag lies about the length is counted")
  func lies() throws {
    var bytes = try SoundFixture.bytes("mp3-tag.mp3")
    let whole = try decode(SoundFixture.path("mp3-tag.mp3")).samples
    let place = try #require(bytes.indices.first { bytes[$0...].starts(with: Array("Xing".utf8)) })
    let count = bytes[place + 11]
    // libmpg123 believes a tag's padding only with its length.
    bytes[place + 11] = 3
    #expect(try decode(try folder.write(bytes)).samples.count >= whole.count)
    bytes[place + 11] = count + 1
    let path = try folder.write(bytes)
    expectFailure(saying: "is cut short: \(count) of the \(count + 1) MPEG frames of its header are there") {
      try decode(path)
    }
    #expect(try decode(path, truncated: .accept).samples.count >= whole.count)
    bytes[place + 8] = 0xFF
    let endless = try folder.write(bytes)
    expectFailure(saying: "MPEG frames of its header are there") { try decode(endless) }
  }

  @Test("may have tags and zeros behind it, and nothing else unless its own tag tells its length")
  func tails() throws {
    for name in ["mp3-tag.mp3", "mp3-plain.mp3"] {
      let bytes = try SoundFixture.bytes(name)
      let whole = try decode(SoundFixture.path(name)).samples
      let letters = [UInt8](repeating: 0x61, count: 5_000)
      for tail in ["TAG", "APETAGEX", "LYRICSBEGIN"].map({ Array($0.utf8) + letters }) + [
        [UInt8](repeating: 0, count: 70_000)
      ] {
        #expect(try decode(try folder.write(bytes + tail)).samples == whole)
      }
      for tail in [letters, [UInt8](repeating: 0, count: 3_000) + letters] {
        let path = try folder.write(bytes + tail)
        // Where a tag says how many frames there are, and there are, nothing is missing.
        if name == "mp3-tag.mp3" {
          #expect(try decode(path).samples == whole)
          continue
        }
        expectFailure(saying: "is damaged: no MPEG frame follows the one that ends at byte \(bytes.count)") {
          try decode(path)
        }
        #expect(try decode(path, truncated: .accept).samples == whole)
      }
    }
  }

  @Test("that becomes shorter while it is read is an error and no end of the process")
  func shrinking() throws {
    let bytes = try SoundFixture.bytes("mp3-plain.mp3")
    let path = try folder.write(Array(repeating: bytes, count: 20).flatMap { $0 })
    expectFailure(.inputOutput, saying: "became shorter while it was read") { try decodeShrinking(path) }
  }

  private func decodeShrinking(_ path: String) throws(Failure) -> Int {
    var file = try SoundFile(path: path)
    #expect(truncate(path, 30_000) == 0)
    return try rest(of: &file).count
  }

  @Test("that changes its rate in the middle is refused")
  func changes() throws {
    let path = try folder.write(SoundFixture.bytes("mp3-plain.mp3") + SoundFixture.bytes("mp3-untold.mp3"))
    expectFailure(saying: "changes in the middle from 1 channels at 16000 Hz to 1 at 8000") {
      try decode(path)
    }
  }

  @Test("that is damaged brings no library's message to standard error")
  func silence() async throws {
    let path = try folder.write(
      SoundFixture.bytes("mp3-plain.mp3")[..<2_000] + [1, 2, 3]
        + SoundFixture.bytes("mp3-plain.mp3")[2_100...])
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      [path = path as String] in
      _ = try? decode(path)
      _ = try? decode(path, truncated: .accept)
    }
    #expect(result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } == "")
  }
}
