import Diagnostics
import Foundation
import SpeechData
import TestSupport
import Testing

@Suite("WeSpeaker's shard.list") struct ShardListTests {
  private let folder = TemporaryFolder()

  private static func fixture(_ name: String) throws -> String {
    try #require(
      Bundle.module.url(forResource: name, withExtension: "tar", subdirectory: "Fixtures/tars")
    ).path
  }

  private func list(_ lines: String...) throws -> SoundCorpus {
    try folder.write(lines.map { $0 + "\n" }.joined(), to: "shard.list")
    return try SoundCorpus.open(folder.path)
  }

  private static func contents(_ location: Recording.Location) throws -> String? {
    guard case .member(let archive, let offset, let bytes) = location else { return nil }
    let data = try #require(FileManager.default.contents(atPath: archive))
    return String(decoding: data[offset..<offset + bytes], as: UTF8.self)
  }

  @Test(
    "reads what GNU tar writes, with long names of GNU, of pax and of ustar",
    arguments: ["gnu", "pax", "ustar"])
  func formats(format: String) throws {
    let corpus = try list(try Self.fixture(format))
    let long = String(repeating: "a", count: 110)
    let split = "\(String(repeating: "a", count: 60))/\(String(repeating: "b", count: 60))"
    let keys = (format == "ustar" ? [] : ["long/\(long)/1.x"]) + ["short/é/1.x", "split/\(split)/1.x"]
    #expect(corpus.layout == .shardList)
    #expect(corpus.lines == keys.map { $0 + " bert é" })
    #expect(
      try corpus.recordings.map { try Self.contents($0.location) }
        == keys.map { "RIFF " + $0.prefix { $0 != "/" } })
    #expect(corpus.refused.isEmpty)
    #expect(try SoundCorpus.open(try Self.fixture(format)).recordings == corpus.recordings)
  }

  @Test("refuses links, pipes, absolute names and those that lead out, and goes on behind them")
  func hostile() throws {
    let corpus = try list(try Self.fixture("hostile"))
    #expect(corpus.lines == ["good gina"])
    let expected = [
      ("link.wav", "is a link"), ("hard.wav", "is a link"), ("pipe.wav", "is a device or a pipe"),
      ("a/../../outside.wav", "leads out of its folder"), ("/tmp/absolute.wav", "is an absolute path"),
    ]
    #expect(corpus.refused.count == expected.count)
    for (name, words) in expected {
      #expect(
        says(corpus.refusals, "shard.list:1", "holds \"\(name)\", which \(words)"), "\(corpus.refusals)")
    }
  }

  @Test("refuses sparse files", arguments: ["sparse-gnu", "sparse-pax"])
  func sparse(name: String) throws {
    let corpus = try list(try Self.fixture(name))
    #expect(corpus.lines == ["good gina"])
    #expect(says(corpus.refusals, "shard.list:1", "is a sparse file"), "\(corpus.refusals)")
    #expect(corpus.refused.count == 1)
  }

  @Test("refuses addresses and commands, a compressed tar and what is none, with the line; the others stay")
  func lines() throws {
    try folder.write([0x1F, 0x8B, 8, 0, 0], to: "x.tar")
    try folder.write(String(repeating: "no tar ", count: 200), to: "y.tar")
    let mark = folder("mark")
    let corpus = try list(
      "https://host/x.tar", "touch \(mark) |", "x.tar", "y.tar", "gone.tar", try Self.fixture("ustar"))
    #expect(corpus.recordings.count == 2)
    for (line, words) in [
      "is an address", "is a command", "is compressed (gzip)", "the checksum of a header is wrong",
      "is not there",
    ].enumerated() {
      #expect(says(corpus.refusals, "shard.list:\(line + 1)", words), "\(corpus.refusals)")
    }
    #expect(!FileManager.default.fileExists(atPath: mark))
  }

  @Test("groups what follows one another by the name up to the last dot, and tells what is incomplete")
  func groups() throws {
    try folder.write(
      tar([
        ("a.wav.wav", "1"), ("a.wav.spk", "anna"), ("b.spk", "bert"), ("c.spk", "c\n"), ("c.txt", "-"),
        ("b.wav", "2"),
        ("c.wav", "3"), ("d.txt", "-"), ("e.spk", "e"), ("e.wav", "4"), ("e.flac", "5"), ("f.spk", "f"),
        ("f.m4a", "6"),
        ("g.flac", "7"), ("g.spk", "g"), ("./h.spk", "\u{1B}"), ("./h.wav", "8"),
      ]), to: "x.tar")
    let corpus = try list("x.tar")
    #expect(corpus.lines == ["a.wav anna", "g g"])
    let reasons = corpus.refused.map { String($0.reason.drop { $0 != "," }.dropFirst(2)) }
    #expect(
      reasons == [
        "which holds \"b.spk\" without its sound before or behind it",
        "which holds \"c.spk\" without its sound before or behind it",
        "which holds the sound \"b\" without its .spk before or behind it",
        "which holds the sound \"c\" without its .spk before or behind it",
        "which holds \"e.flac\", which is a second sound of the same name",
        "which holds \"f.m4a\", which is .m4a, which is not read: scripts/convert-m4a makes WAV of it",
        "where a name of 1 to 4096 bytes without control characters is expected",
      ])
  }

  @Test("keeps what stands before damage, and believes no size")
  func damage() throws {
    let good = tar([("a.spk", "anna"), ("a.wav", "sound"), ("b.spk", "bert"), ("b.wav", "sound")])
    for (size, words) in [
      ("77777777777", "where 1536 are left"), ("00000000x01", "is no number"),
      ("-0000000001", "is no number"),
      ("\u{FF}", "is no number"),
    ] {
      var bytes = good
      bytes.replaceSubrange(
        3 * 1024 + 124..<3 * 1024 + 136, with: (Array(size.utf8) + Array(repeating: 0, count: 12))[..<12])
      seal(&bytes, at: 3 * 1024)
      try folder.write(bytes, to: "x.tar")
      let corpus = try list("x.tar")
      #expect(corpus.lines == ["a anna"])
      #expect(says(corpus.refusals, "shard.list:1", words), "\(corpus.refusals)")
    }
    try folder.write(good[..<(3 * 1024 + 100)], to: "x.tar")
    #expect(says(try list("x.tar").refusals, "shard.list:1", "in the middle of a header"))
    try folder.write(good[..<(3 * 1024 + 512 + 5)], to: "x.tar")
    #expect(try list("x.tar").lines == ["a anna", "b bert"])
  }
}

/// A tar of files, in the form of before ustar.
func tar(_ members: [(name: String, text: String)]) -> [UInt8] {
  var bytes: [UInt8] = []
  for (name, text) in members {
    let start = bytes.count
    bytes += Array(name.utf8) + [UInt8](repeating: 0, count: 512 - name.utf8.count)
    let size = Array(String(text.utf8.count, radix: 8).utf8)
    bytes.replaceSubrange(start + 124..<start + 124 + size.count, with: size)
    bytes[start + 156] = UInt8(ascii: "0")
    seal(&bytes, at: start)
    bytes += Array(text.utf8) + [UInt8](repeating: 0, count: (512 - text.utf8.count % 512) % 512)
  }
  return bytes + [UInt8](repeating: 0, count: 1024)
}

/// Makes the checksum of a header right.
func seal(_ bytes: inout [UInt8], at start: Int) {
  for index in start + 148..<start + 156 { bytes[index] = UInt8(ascii: " ") }
  let sum = bytes[start..<start + 512].reduce(0) { $0 + Int($1) }
  let digits = String(sum, radix: 8)
  bytes.replaceSubrange(
    start + 148..<start + 156,
    with: Array(String(repeating: "0", count: 6 - digits.count).utf8) + digits.utf8 + [0, 0x20])
}
