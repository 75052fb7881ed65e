import Audio
import Diagnostics
import TestSupport
import Testing

@Suite("An Ogg stream")
struct OggTests {
  let folder = TemporaryFolder()
  static let names = ["vorbis.ogg", "opus.opus"]

  @Test("with a damaged or missing page is refused with its place", arguments: names)
  func damaged(_ name: String) throws {
    let bytes = try SoundFixture.bytes(name)
    let pages = oggPages(bytes)
    try #require(pages.count > 4)
    for (index, page) in pages.enumerated() {
      var damaged = bytes
      damaged[page + 40] ^= 1
      let path = try folder.write(damaged)
      expectFailure(saying: "the page at byte \(page) does not fit its checksum") {
        try decode(path, truncated: .accept)
      }
      guard index > 0, index < pages.count - 1 else { continue }
      let missing = try folder.write(bytes[..<page] + bytes[pages[index + 1]...])
      expectFailure(saying: "pages are missing before byte \(page)") {
        try decode(missing, truncated: .accept)
      }
      let stuffed = try folder.write(bytes[..<page] + [1, 2, 3, 4] + bytes[page...])
      expectFailure(saying: "no page begins at byte \(page)") { try decode(stuffed, truncated: .accept) }
    }
  }

  @Test("that ends within a page is cut short, and what is before is there", arguments: names)
  func truncated(_ name: String) throws {
    let bytes = try SoundFixture.bytes(name)
    let whole = try decode(SoundFixture.path(name)).samples
    let pages = oggPages(bytes)
    let last = pages[pages.count - 1]
    let before = pages[pages.count - 2]
    for end in [last + 1, last + 3, last + 20, before + 30, bytes.count - 1] {
      let path = try folder.write(bytes[..<end])
      expectFailure(saying: "is cut short: it ends within a page of the Ogg stream") { try decode(path) }
      let samples = try decode(path, truncated: .accept).samples
      #expect(samples.count > whole.count / 4 && samples.count < whole.count)
      #expect(samples == Array(whole[..<samples.count]))
    }
    for end in [5, 27, pages[1] - 1] {
      let path = try folder.write(bytes[..<end])
      expectFailure(saying: path) { try decode(path, truncated: .accept) }
    }
  }

  @Test("whose last page does not say that it is the last is whole, as there are many", arguments: names)
  func unended(_ name: String) throws {
    var bytes = try SoundFixture.bytes(name)
    let last = try #require(oggPages(bytes).last)
    bytes[last + 5] &= ~4
    let path = try folder.write(withOggChecksums(bytes))
    let samples = try decode(path).samples
    let whole = try decode(SoundFixture.path(name)).samples
    // Without the mark libsndfile gives some samples of Opus less.
    #expect(samples.count > whole.count - 200 && samples.count <= whole.count)
    #expect(samples == Array(whole[..<samples.count]))
  }

  @Test("with another behind it is both, one behind the other, if they are alike", arguments: names)
  func chains(_ name: String) throws {
    let bytes = try SoundFixture.bytes(name)
    let whole = try decode(SoundFixture.path(name)).samples
    let path = try folder.write(bytes + bytes + Array("TAG and what else there may be".utf8))
    #expect(try SoundFile(path: path).frames == nil)
    #expect(try decode(path).samples == whole + whole)
    #expect(try decode(path, from: whole.count + 99).samples == Array(whole[99...]))
    #expect(try countAfterSeeks(path, [whole.count + 1, 1]) == 2 * whole.count - 1)
  }

  private func countAfterSeeks(_ path: String, _ frames: [Int]) throws -> Int {
    var file = try SoundFile(path: path)
    for frame in frames { try file.seek(toFrame: frame) }
    return try rest(of: &file).count
  }

  @Test("with another kind behind it, or another within it, is refused")
  func several() throws {
    let a = try SoundFixture.bytes("opus.opus")
    let b = try SoundFixture.bytes("opus-stereo.opus")
    let c = try SoundFixture.bytes("vorbis.ogg")
    let faster = try folder.write(a + b)
    expectFailure(saying: "changes in the middle from 1 channels at 16000 Hz to 2 at 48000") {
      try decode(faster)
    }
    let other = try folder.write(a + c)
    expectFailure(saying: "is Ogg of several streams of different kinds") { try decode(other) }
    let pages = oggPages(a)
    let within = try folder.write(a[..<pages[1]] + b[..<oggPages(b)[1]] + a[pages[1]...])
    expectFailure(saying: "is Ogg of several streams at once") { try decode(within) }
  }

  @Test(
    "of something else than Vorbis or Opus is refused by name",
    arguments: [
      ("\u{7F}FLAC", "is FLAC in Ogg"), ("Speex   ", "is Speex in Ogg"), ("fishead", "is a film in Ogg"),
      ("\u{1}vorbiz", "is Ogg that begins with no packet"),
    ])
  func others(_ packet: String, _ words: String) throws {
    let page =
      Array("OggS".utf8) + [0, 2] + [UInt8](repeating: 0, count: 20) + [1, UInt8(packet.utf8.count)]
    let path = try folder.write(page + Array(packet.utf8))
    expectFailure(saying: words) { try decode(path) }
  }
}
