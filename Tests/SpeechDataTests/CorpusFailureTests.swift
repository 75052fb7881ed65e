import Diagnostics
import Foundation
import SpeechData
import TensorFiles
import TestSupport
import Testing

@Suite("A corpus with a mistake in its JSON")
struct CorpusIndexFailureTests {
  /// One thing that can be wrong with a file of the corpus, and what the failure has to say.
  struct Mistake: Sendable, CustomTestStringConvertible {
    let file: String
    let json: JSON
    let says: String
    var testDescription: String { "\(file): \(says)" }
  }

  static func metadata(_ speakers: JSON, bins: JSON = 40) -> JSON { ["n_mels": bins, "speakers": speakers] }
  static func utterance(_ entry: JSON) -> JSON { metadata(["s00": [entry], "s01": []]) }
  static let good = TestCorpus.entry("uttr-0.pt", 10)

  static let mistakes: [Mistake] = [
    Mistake(file: "metadata.json", json: [], says: "must hold a JSON object"),
    Mistake(file: "metadata.json", json: metadata([:], bins: 80), says: "n_mels must be 40"),
    Mistake(file: "metadata.json", json: ["speakers": [:]], says: "n_mels must be 40"),
    Mistake(file: "metadata.json", json: ["n_mels": 40], says: "speakers must be an object"),
    Mistake(file: "metadata.json", json: metadata([]), says: "speakers must be an object"),
    Mistake(file: "metadata.json", json: metadata([:]), says: "speakers lists no utterance"),
    Mistake(
      file: "metadata.json", json: metadata(["s00": [], "s01": []]), says: "speakers lists no utterance"),
    Mistake(
      file: "metadata.json", json: metadata(["s00": 1]), says: "speakers.s00 must be a list of utterances"),
    Mistake(
      file: "metadata.json", json: metadata(["s77": [good]]),
      says: "speakers.s77 has no label: mapping.json's speaker2id does not list this speaker"),
    Mistake(file: "metadata.json", json: utterance(3), says: "speakers.s00[0].feature_path must be a string"),
    Mistake(
      file: "metadata.json", json: utterance(["feature_path": 3, "mel_len": 10]),
      says: "speakers.s00[0].feature_path must be a string"),
    Mistake(
      file: "metadata.json", json: utterance(["feature_path": "uttr-0.pt"]),
      says: "speakers.s00[0].mel_len must be a whole number of frames, at least 1"),
    Mistake(
      file: "metadata.json", json: utterance(["feature_path": "uttr-0.pt", "mel_len": 10.5]),
      says: "speakers.s00[0].mel_len must be a whole number"),
    Mistake(file: "metadata.json", json: utterance(TestCorpus.entry("uttr-0.pt", 0)), says: "at least 1"),
    Mistake(file: "metadata.json", json: utterance(TestCorpus.entry("uttr-0.pt", -3)), says: "at least 1"),
    Mistake(
      file: "metadata.json", json: utterance(TestCorpus.entry("uttr-0.pt", .max)), says: "a whole number"),
    Mistake(
      file: "metadata.json", json: utterance(TestCorpus.entry("../uttr-0.pt", 10)),
      says: "is \"../uttr-0.pt\", which is not a path inside the directory"),
    Mistake(
      file: "metadata.json", json: utterance(TestCorpus.entry("a/../../b", 10)), says: "not a path inside"),
    Mistake(
      file: "metadata.json", json: utterance(TestCorpus.entry("/etc/passwd", 10)), says: "not a path inside"),
    Mistake(file: "metadata.json", json: utterance(TestCorpus.entry("", 10)), says: "not a path inside"),
    Mistake(file: "metadata.json", json: utterance(TestCorpus.entry("a\0b", 10)), says: "not a path inside"),
    Mistake(
      file: "metadata.json", json: metadata(["s00": [good], "s01": [good]]),
      says: "speakers.s01[0].feature_path lists uttr-0.pt a second time"),
    Mistake(file: "mapping.json", json: [:], says: "speaker2id must be an object"),
    Mistake(
      file: "mapping.json", json: ["speaker2id": ["s00": 0, "s01": 2]],
      says: "speaker2id.s01 must be one of the whole numbers 0 to 1, as there are 2 speakers"),
    Mistake(
      file: "mapping.json", json: ["speaker2id": ["s00": 0, "s01": "1"]],
      says: "speaker2id.s01 must be one of"),
    Mistake(
      file: "mapping.json", json: ["speaker2id": ["s00": -1, "s01": 0]], says: "speaker2id.s00 must be one of"
    ),
    Mistake(
      file: "mapping.json", json: ["speaker2id": ["s00": 1, "s01": 1]],
      says: "speaker2id gives s00 and s01 the same label 1"),
    Mistake(
      file: "mapping.json",
      json: ["speaker2id": ["s00": 0, "s01": 1], "id2speaker": ["0": "s01", "1": "s00"]],
      says: "id2speaker.0 must be s00, the speaker that speaker2id gives label 0"),
    Mistake(
      file: "mapping.json", json: ["speaker2id": ["s00": 0, "s01": 1], "id2speaker": ["0": "s00"]],
      says: "id2speaker has 1 speakers, but speaker2id has 2"),
    Mistake(
      file: "mapping.json",
      json: ["speaker2id": ["s00": 0, "s01": 1], "id2speaker": ["0": "s00", "01": "s01"]],
      says: "id2speaker.01 is not one of the labels 0 to 1"),
    Mistake(file: "mapping.json", json: ["speaker2id": ["s00": 0]], says: "speakers.s01 has no label"),
    Mistake(file: "testdata.json", json: ["n_mels": 40], says: "utterances must be a list"),
    Mistake(file: "testdata.json", json: ["n_mels": 24, "utterances": []], says: "n_mels must be 40"),
    Mistake(
      file: "testdata.json", json: ["n_mels": 40, "utterances": [TestCorpus.entry("t.pt", 0)]],
      says: "utterances[0].mel_len must be"),
    Mistake(
      file: "testdata.json",
      json: ["n_mels": 40, "utterances": [TestCorpus.entry("t.pt", 1), TestCorpus.entry("t.pt", 1)]],
      says: "utterances[1].feature_path lists t.pt a second time"),
  ]

  @Test("names file and key", arguments: mistakes)
  func mistake(_ mistake: Mistake) throws {
    let made = try TestCorpus([[10], [10]], tests: [10])
    try made.write(mistake.file, mistake.json)
    let error = try #require(failure { _ = try Corpus.open(made.source) })
    #expect(error.kind == .badData)
    #expect(error.message.contains(mistake.says), "\(error.message)")
    #expect(error.message.contains("\(made.source)/") && !error.message.contains("\n"))
  }

  @Test("allows speakers in mapping.json that metadata.json lacks")
  func spareSpeaker() throws {
    let made = try TestCorpus([[10], [10]])
    try made.write("mapping.json", ["speaker2id": ["s01": 0, "other": 1, "s00": 2]])
    let corpus = try Corpus.open(made.source)
    #expect(corpus.speakers == ["s01", "other", "s00"])
    #expect(corpus.utterances.map(\.label) == [2, 0])
  }
}

@Suite("A corpus with a bad feature file")
struct FeatureFailureTests {
  /// Spoils the utterance files of a corpus of 12.
  private func corpus(_ spoil: (TestCorpus) throws -> Void) throws -> TestCorpus {
    let made = try TestCorpus([[10, 20, 30], [40, 50, 60], [70, 80, 90], [100, 110, 120]])
    try spoil(made)
    return made
  }

  private func path(_ made: TestCorpus, _ number: Int) -> String {
    "\(made.source)/\(TestCorpus.name(number))"
  }

  private func write(_ values: [Float], _ shape: [Int], to path: String) throws {
    try TorchFile.writeTensor(Tensor(float32: values, shape: shape), to: path)
  }

  /// The one failure of opening and preparing, the same for 1 to 4 threads, and of packing.
  private func failureOf(_ made: TestCorpus) throws -> Failure {
    let failures = (1...4).map { threads in
      failure { try Corpus.open(made.source).prepareEverything(threads: threads) }
    }
    let first = try #require(failures[0])
    #expect(failures.allSatisfy { $0 == first })
    let packing = try #require(failure { try made.pack(1) })
    #expect(packing.kind == first.kind)
    // The test file is good and done or not begun; the shard leaves nothing, and there is no manifest.
    #expect(
      ["", "test-00000-of-00001.mels"].contains(made.folder.contents(of: "packed").joined(separator: " ")))
    return first
  }

  @Test("that is not there")
  func missing() throws {
    let made = try corpus { try FileManager.default.removeItem(atPath: path($0, 4)) }
    #expect(try failureOf(made) == Failure(.missingInput, "\(path(made, 4)): no such file"))
  }

  @Test("that is truncated anywhere")
  func truncated() throws {
    let made = try corpus { _ in }
    let whole = try Data(contentsOf: URL(fileURLWithPath: path(made, 0)))
    for length in stride(from: 0, to: whole.count, by: 97) {
      try whole.prefix(length).write(to: URL(fileURLWithPath: path(made, 0)))
      let error = failure { try Corpus.open(made.source).prepareEverything() }
      #expect(error?.kind == .badData)
      #expect(error?.message.hasPrefix(path(made, 0)) == true)
    }
  }

  @Test("whose contents changed by one bit")
  func flipped() throws {
    let made = try corpus { made in
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path(made, 11)))
      let payload = try TorchFile.locateTensor(path: path(made, 11)).payloadOffset
      bytes[payload + 12_345] ^= 4
      try bytes.write(to: URL(fileURLWithPath: path(made, 11)))
    }
    #expect(
      try failureOf(made) == Failure(.badData, "\(path(made, 11)): is damaged: its CRC-32 does not match"))
  }

  @Test("that holds a number that is none", arguments: [Float.nan, .infinity, -.infinity])
  func notFinite(value: Float) throws {
    let made = try corpus { made in
      var values = TestCorpus.values(2, 0..<30)
      values[17 * 40 + 39] = value
      try write(values, [30, 40], to: path(made, 2))
    }
    let error = try failureOf(made)
    #expect(error == Failure(.badData, "\(path(made, 2)): frame 17, bin 39 is \(value), not a finite number"))
  }

  @Test("of another length, shape or type than the index says")
  func shape() throws {
    let shorter = try corpus { try write(TestCorpus.values(1, 0..<19), [19, 40], to: path($0, 1)) }
    #expect(
      try failureOf(shorter)
        == Failure(
          .badData, "\(path(shorter, 1)): holds a tensor of shape [19, 40], where the index says [20, 40]"))
    let turned = try corpus { try write(TestCorpus.values(1, 0..<20), [40, 20], to: path($0, 1)) }
    #expect(try failureOf(turned).message.contains("shape [40, 20]"))
    let flat = try corpus { try write(TestCorpus.values(1, 0..<20), [800], to: path($0, 1)) }
    #expect(try failureOf(flat).message.contains("shape [800]"))
    let double = try corpus {
      try TorchFile.writeTensor(
        Tensor(float64: TestCorpus.values(1, 0..<20).map(Double.init), shape: [20, 40]), to: path($0, 1))
    }
    #expect(
      try failureOf(double).message == "\(path(double, 1)): holds a tensor of F64, where F32 is expected")
  }

  @Test("of which the first in dataset order is reported, whatever the threads")
  func first() throws {
    let made = try corpus { made in
      for bad in [3, 5, 6, 10] { try FileManager.default.removeItem(atPath: path(made, bad)) }
    }
    for _ in 0..<20 {
      for threads in 1...6 {
        let error = failure { try Corpus.open(made.source).prepareEverything(shards: 3, threads: threads) }
        #expect(error?.message == "\(path(made, 3)): no such file")
      }
    }
  }

  @Test("that vanished, shrank or was replaced since it was verified")
  func changed() throws {
    let made = try corpus { _ in }
    let opened = try Corpus.open(made.source)
    try opened.prepareEverything()
    try FileManager.default.removeItem(atPath: path(made, 0))
    truncate(path(made, 1), 300)
    // As many bytes, in another file.
    try write(TestCorpus.values(5, 0..<30), [30, 40], to: path(made, 2))
    for (number, words) in ["is gone", "has changed", "has changed"].enumerated() {
      let error = failure { _ = try opened.frames(of: number, 0..<1) }
      #expect(error?.kind == .inputOutput)
      #expect(error?.message.contains("\(path(made, number)): \(words) since it was verified") == true)
    }
  }
}
