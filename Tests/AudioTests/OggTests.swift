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

  @Test("that ends with a page before its last is cut short, and what is before is there", arguments: names)
  func truncated(_ name: String) throws {
    let bytes = try SoundFixture.bytes(name)
    let whole = try decode(SoundFixture.path(name)).samples
    let pages = oggPages(bytes)
    for end in [pages[pages.count - 1], pages[pages.count - 1] + 20, pages[pages.count - 2], bytes.count - 1]
    {
      let path = try folder.write(bytes[..<end])
      expectFailure(saying: "is cut short: the last page of the Ogg stream is missing") { try decode(path) }
      let samples = try decode(path, truncated: .accept).samples
      #expect(samples.count > whole.count / 4 && samples.count < whole.count)
      #expect(samples == Array(whole[..<samples.count]))
    }
  }

  @Test("with another behind it or within it is refused")
  func several() throws {
    let a = try SoundFixture.bytes("opus.opus"), b = try SoundFixture.bytes("opus-stereo.opus")
    let behind = try folder.write(a + b)
    expectFailure(saying: "is several Ogg streams one behind the other") { try decode(behind) }
    let pages = oggPages(a)
    let within = try folder.write(a[..<pages[1]] + b[..<oggPages(b)[1]] + a[pages[1]...])
    expectFailure(saying: "is Ogg of several streams") { try decode(within) }
    let tail = try folder.write(a + Array("TAG and what else there may be".utf8))
    #expect(try decode(tail).samples == decode(SoundFixture.path("opus.opus")).samples)
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
