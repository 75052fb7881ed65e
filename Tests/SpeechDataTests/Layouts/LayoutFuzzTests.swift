import Diagnostics
import Foundation
import SpeechData
import TestSupport
import Testing

/// Damaged lists and tars: an error or recordings that hold to what is promised, and always an end.
@Suite("Damaged lists") struct LayoutFuzzTests {
  private let folder = TemporaryFolder.inMemory()

  /// Opens and checks what every corpus promises.
  private func check(_ path: String, _ layout: Layout) throws {
    let corpus: SoundCorpus
    do throws(Failure) {
      corpus = try SoundCorpus.open(path, layout: layout)
    } catch {
      #expect([.badData, .missingInput].contains(error.kind), "\(error)")
      return
    }
    let keys = corpus.recordings.map(\.key)
    #expect(Set(keys).count == keys.count && !keys.isEmpty)
    #expect(zip(keys, keys.dropFirst()).allSatisfy { $0.utf8.lexicographicallyPrecedes($1.utf8) })
    #expect(corpus.recordings.allSatisfy { !$0.key.isEmpty && !$0.speaker.isEmpty })
    for recording in corpus.recordings {
      #expect(recording.segments.allSatisfy { $0.start >= 0 && $0.start < $0.end })
      var status = stat()
      #expect(stat(recording.location.path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG)
      if case .member(_, let offset, let bytes) = recording.location {
        #expect(offset >= 0 && bytes >= 0 && offset + bytes <= Int(status.st_size))
        let parts = recording.key.split(separator: "/", omittingEmptySubsequences: false)
        #expect(layout != .shardList || !parts.contains("..") && parts.first != "")
      }
    }
  }

  private static let lists: [(layout: Layout, name: String, text: String)] = [
    (.kaldi, "wav.scp", "r1 a.wav\nr2 ../a.wav |\r\nr3 x.ark:3\nr4 -\n"),
    (.kaldi, "utt2spk", "u1 s\nu2 s\nu3 t\nu4 t\n"),
    (.kaldi, "segments", "u1 r1 0 1.5\nu2 r1 2.25 -1 1\nu3 r3 1e-3 0.5\nu4 r2 0 1\n"),
    (.trainList, "train_list.txt", "id00012 id00012/a/1.wav\nid00013 a.wav\nx id00012/a/2.wav\n"),
    (.idenSplit, "iden_split.txt", "1 id00012/a/1.wav\n3 id00012/a/2.wav\n2 id00012/a/1.wav\n"),
    (
      .rawList, "raw.list",
      #"{"key": "k\u00e9", "spk": "s", "wav": "a.wav", "vad": [["0.5", "1.25"], [2, 3.5]]}"# + "\n"
        + #"{"key": "l", "spk": 7, "wav": "pipe:x"}"# + "\n"
    ),
    (
      .speechBrain, "train.csv",
      "ID,duration,wav,start,stop,spk_id\nx,8,$data_root/a.wav,0,48000,anna\ny,2,\"a.wav\",,,\"ber,\"\"t\"\n"
    ),
  ]

  @Test("of text", arguments: 0..<7)
  func text(index: Int) throws {
    try folder.touch(["a.wav", "id00012/a/1.wav", "id00012/a/2.flac"])
    try folder.write("u3 RIFF\u{8}\0\0\0WAVE", to: "x.ark")
    let (layout, name, text) = Self.lists[index]
    for other in Self.lists where other.layout == layout { try folder.write(other.text, to: other.name) }
    var random = SeededGenerator(seed: UInt64(index))
    try check(folder.path, layout)
    for _ in 0..<400 {
      try folder.write(Array(text.utf8).mutated(using: &random), to: name)
      try check(folder.path, layout)
      _ = try? Layout.recognised(at: folder(name))
    }
  }

  @Test(
    "of tars, also where the checksums are right",
    arguments: ["gnu", "pax", "ustar", "hostile", "sparse-gnu"])
  func shards(name: String) throws {
    let url = try #require(
      Bundle.module.url(forResource: name, withExtension: "tar", subdirectory: "Fixtures/tars"))
    let whole = [UInt8](try Data(contentsOf: url))
    try folder.write("x.tar\n", to: "shard.list")
    var random = SeededGenerator(seed: 15)
    for round in 0..<400 {
      var bytes = whole
      if round % 4 == 0 {
        bytes = bytes.mutated(using: &random)
      } else {
        // Of the headers, whose bytes mean something.
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          let start = Int.random(in: 0..<bytes.count / 512, using: &random) * 512
          let field = [0..<100, 124..<136, 156..<157, 257..<265, 345..<500, 482..<483].randomElement(
            using: &random)!
          let position = start + field.randomElement(using: &random)!
          let letters = Array("../0123456789xgLKSV \0".utf8) + [0x80, 0xFF]
          bytes[position] = letters.randomElement(using: &random)!
          seal(&bytes, at: start)
        }
      }
      try folder.write(bytes, to: "x.tar")
      try check(folder("shard.list"), .shardList)
    }
  }

  @Test("and whole ones, read as what they are not")
  func confused() throws {
    try folder.touch(["a.wav", "id00012/a/1.wav", "id00012/a/2.flac"])
    for (_, name, text) in Self.lists { try folder.write(text, to: name) }
    try folder.write(tar([("a.spk", "s"), ("a.wav", "x")]), to: "x.tar")
    try folder.write((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }, to: "x.bin")
    for layout in Layout.allCases where ![.homework, .packed, .fileNames].contains(layout) {
      for name in Self.lists.map(\.name) + ["x.tar", "x.bin", "", "a.wav", "id00012"] {
        try check(folder(name), layout)
        _ = try? SoundCorpus.open(folder(name), speakerFrom: "(a|b)")
      }
    }
  }
}
