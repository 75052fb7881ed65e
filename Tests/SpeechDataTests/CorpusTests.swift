import Diagnostics
import Foundation
import SpeechData
import TensorFiles
import TestSupport
import Testing

@Suite("A corpus, opened")
struct CorpusTests {
  @Test("has the notebook's dataset order and mapping.json's labels")
  func index() throws {
    let made = try TestCorpus([[10, 20], [30], [40, 50, 60]], tests: [7, 8])
    let corpus = try Corpus.open(made.source)
    #expect(corpus.speakers == ["s02", "s01", "s00"])
    #expect(corpus.utterances.map(\.path) == (0..<6).map(TestCorpus.name))
    #expect(corpus.utterances.map(\.frames) == [10, 20, 30, 40, 50, 60])
    #expect(corpus.utterances.map(\.label) == [2, 2, 1, 0, 0, 0])
    let tests = try #require(corpus.tests)
    #expect(
      tests.map(\.path) == [TestCorpus.name(TestCorpus.firstTest), TestCorpus.name(TestCorpus.firstTest + 1)])
    #expect(tests.allSatisfy { $0.label == -1 })
    #expect(corpus.packedFiles == nil)
  }

  @Test("sorts the speakers' names without mapping.json, and has no tests without testdata.json")
  func withoutMapping() throws {
    let made = try TestCorpus([[10]], tests: nil)
    try made.write(
      "metadata.json",
      [
        "n_mels": 40,
        "speakers": ["b": [TestCorpus.entry("uttr-0.pt", 10)], "a": [], "B": []],
      ])
    try FileManager.default.removeItem(atPath: "\(made.source)/mapping.json")
    let corpus = try Corpus.open(made.source)
    #expect(corpus.speakers == ["B", "a", "b"])
    #expect(corpus.utterances.map(\.label) == [2])
    #expect(corpus.tests == nil)
    #expect(try Corpus.open(made.source).members(ofShard: 0, of: 1) == [0])
  }

  @Test("gives every frame of every utterance, packed or not")
  func frames() throws {
    let made = try TestCorpus(count: 30)
    try made.pack(4)
    for directory in [made.source, made.packed] {
      let corpus = try Corpus.open(directory)
      try corpus.prepareEverything()
      for (u, frames) in made.frames.enumerated() {
        #expect(try corpus.frames(of: u, 0..<frames) == TestCorpus.values(u, 0..<frames))
        let range = frames / 3..<max(frames / 3 + 1, frames / 2)
        #expect(try corpus.frames(of: u, range) == TestCorpus.values(u, range))
        #expect(try corpus.frames(of: u, frames - 1..<frames) == TestCorpus.values(u, frames - 1..<frames))
      }
      for (u, frames) in made.testFrames.enumerated() {
        #expect(
          try corpus.testFrames(of: u, 0..<frames) == TestCorpus.values(TestCorpus.firstTest + u, 0..<frames))
      }
    }
  }

  @Test("holds utterances of one file only once its shard is prepared")
  func prepared() throws {
    let made = try TestCorpus(count: 16)
    try made.pack(4)
    for directory in [made.source, made.packed] {
      let corpus = try Corpus.open(directory)
      let own = try corpus.members(ofShard: 1, of: 4)
      let other = try corpus.members(ofShard: 2, of: 4)
      // Files of other shards are not touched: here they are not even there.
      for file in try FileManager.default.contentsOfDirectory(atPath: directory)
      where file.contains("00002-of") {
        try FileManager.default.moveItem(atPath: "\(directory)/\(file)", toPath: "\(directory)/\(file).away")
      }
      try corpus.prepare(shards: 1..<2, of: 4, threads: 2) { _, _ in }
      for u in own { #expect(try corpus.frames(of: u, 0..<1) == TestCorpus.values(u, 0..<1)) }
      let error = failure { _ = try corpus.frames(of: other[0], 0..<1) }
      #expect(error?.kind == .internalError)
    }
  }

  @Test(
    "refuses ranges that are not there", arguments: [(-1, 1), (0, 0), (0, 31), (30, 1), (29, 2), (1, .max)])
  func ranges(start: Int, count: Int) throws {
    let made = try TestCorpus([[30]])
    let corpus = try Corpus.open(made.source)
    try corpus.prepareEverything()
    var float: Float = 0
    let error = failure { try corpus.copyFrames(of: 0, from: start, count: count, into: &float) }
    #expect(error?.kind == .internalError)
  }

  @Test("counts its progress up to the number of utterances")
  func progress() throws {
    let made = try TestCorpus(count: 23)
    try made.pack(3)
    for directory in [made.source, made.packed] {
      let corpus = try Corpus.open(directory)
      var last = (done: 0, total: 0)
      try corpus.prepare(shards: 0..<1, of: 1, threads: 3) { done, total in
        #expect(done >= last.done && done <= total)
        last = (done, total)
      }
      #expect(last == (23, 23))
    }
  }

  @Test("is not there")
  func missing() throws {
    let folder = TemporaryFolder()
    #expect(failure { _ = try Corpus.open(folder("nothing")) }?.kind == .missingInput)
    let empty = failure { _ = try Corpus.open(folder.path) }
    #expect(empty?.kind == .missingInput)
    #expect(empty?.message.contains("holds neither metadata.json") == true)
  }

  @Test(
    "is recognised as what it is",
    arguments: [
      (["Dataset/metadata.json"], "", "/Dataset does: give that"),
      (["a/b/manifest.json", "a/x.txt"], "", "/a/b does: give that"),
      (["metadata.json", "features/uttr-0.pt"], "/features", "the folder that it is in does"),
      (
        ["id1/v/00001.wav", "id2/w/00001.wav"], "",
        "but sound (id1/v/00001.wav): 'pack' makes features of it"
      ),
      (["a.FLAC"], "", "sound (a.FLAC)"), (["wav.scp", "utt2spk"], "", "a list of sound (wav.scp)"),
      (["feats.scp", "utt2spk"], "", "Kaldi's (feats.scp, utt2spk) without wav.scp"),
      (["config.yaml", "metrics.jsonl"], "", "the folder of a run: that is given as --run"),
      (["synthesis.json", "uttr-0.pt"], "", "was not finished: start the same synthesize again"),
      (["shard-00000-of-00002.mels"], "", "a pack that was not finished"),
      (["uttr-0.pt", "mapping.json"], "", "tensors (uttr-0.pt): metadata.json"),
      (["x.npy"], "", "other files (x.npy)"),
      (["readme.txt"], "", "(a packed corpus)"), (["readme.txt"], "/readme.txt", "is not a folder"),
    ])
  func recognised(files: [String], given: String, words: String) throws {
    let folder = TemporaryFolder()
    for file in files {
      let path = folder("data/\(file)")
      try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try Data("x".utf8).write(to: URL(fileURLWithPath: path))
    }
    for attempt in [
      failure { _ = try Corpus.open(folder("data") + given) },
      failure { _ = try Packer(source: folder("data") + given, output: folder("packed"), files: 1) },
    ] {
      #expect(attempt?.kind == .missingInput)
      #expect(attempt?.message.contains(words) == true, "\(attempt?.message ?? "")")
    }
  }
}

@Suite("The shards of a corpus")
struct LayoutTests {
  @Test("are a partition, nearly equal, and unlike the dataset's order", arguments: [1, 2, 3, 7, 8])
  func partition(shards: Int) throws {
    let made = try TestCorpus(count: 50)
    let corpus = try Corpus.open(made.source)
    let members = try (0..<shards).map { try corpus.members(ofShard: $0, of: shards) }
    #expect(members.flatMap { $0 }.sorted() == Array(0..<50))
    #expect(members.allSatisfy { abs($0.count - 50 / shards) <= 1 })
    #expect(members.flatMap { $0 } != Array(0..<50))
  }

  @Test("are the same packed and unpacked whenever V divides N", arguments: [1, 2, 4, 6, 8, 12])
  func identity(files: Int) throws {
    let made = try TestCorpus(count: 37)
    try made.pack(files)
    let source = try Corpus.open(made.source)
    let packed = try Corpus.open(made.packed)
    #expect(packed.utterances == source.utterances)
    #expect(packed.tests == source.tests)
    #expect(packed.speakers == source.speakers)
    #expect(packed.packedFiles == files)
    for shards in 1...files where files % shards == 0 {
      for v in 0..<shards {
        let run = files / shards
        let members = try source.members(ofShard: v, of: shards)
        #expect(try packed.members(ofShard: v, of: shards) == members)
        #expect(
          try members == (v * run..<(v + 1) * run).flatMap { try source.members(ofShard: $0, of: files) })
      }
    }
  }

  @Test("are part of the format: the first positions of the fixed order")
  func frozen() throws {
    let made = try TestCorpus(count: 20, tests: nil)
    let corpus = try Corpus.open(made.source)
    #expect(try corpus.members(ofShard: 0, of: 1) == Self.orderOfTwenty)
  }

  /// As a second implementation, in Python after docs/formats.md, has it; another order is another format.
  static let orderOfTwenty = [10, 18, 7, 17, 8, 2, 0, 1, 16, 6, 13, 19, 11, 4, 5, 9, 14, 12, 15, 3]

  @Test("must divide the packed files, and the failure says what would work")
  func divisors() throws {
    let made = try TestCorpus(count: 20)
    try made.pack(6)
    let corpus = try Corpus.open(made.packed)
    let expected = Failure(
      .usage, "train.shards is 4, but must divide the 6 files of the packed corpus: 1, 2, 3, 6 would work")
    #expect(failure { _ = try corpus.members(ofShard: 0, of: 4) } == expected)
    #expect(failure { try corpus.prepare(shards: 0..<1, of: 4, threads: 1) { _, _ in } } == expected)
    #expect(failure { _ = try corpus.members(ofShard: 0, of: 12) }?.kind == .usage)
  }
}
