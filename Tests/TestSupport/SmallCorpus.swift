import Audio
import Foundation
import SpeechData
import TensorCore
import TensorFiles

/// A folder in the homework's layout, file by file.
package struct HomeworkFolder: Sendable {
  package let path: String

  /// - Parameter path: is made, with the folders that it is in.
  package init(_ path: String) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  /// Writes the features of an utterance, frame by frame, and returns what the metadata says of it.
  @discardableResult
  package func write(_ features: [Float], to name: String) throws -> JSON {
    let frames = features.count / Corpus.homeworkBands
    try TorchFile.writeTensor(
      Tensor(float32: features, shape: [frames, Corpus.homeworkBands]), to: "\(path)/\(name)")
    return Self.entry(name, frames)
  }

  /// Writes `metadata.json` and `mapping.json`.
  package func write(speakers: [(name: String, label: Int, utterances: [JSON])]) throws {
    try write(
      [
        "n_mels": .integer(Corpus.homeworkBands),
        "speakers": .object(JSONObject(speakers.map { ($0.name, .array($0.utterances)) })),
      ], to: "metadata.json")
    try write(
      [
        "speaker2id": .object(JSONObject(speakers.map { ($0.name, .integer($0.label)) })),
        "id2speaker": .object(JSONObject(speakers.map { ("\($0.label)", .string($0.name)) })),
      ], to: "mapping.json")
  }

  /// Writes `testdata.json`.
  package func write(tests: [JSON]) throws {
    try write(["n_mels": .integer(Corpus.homeworkBands), "utterances": .array(tests)], to: "testdata.json")
  }

  package func write(_ json: JSON, to name: String) throws {
    try json.serialized(indent: 4).write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
  }

  /// What the metadata says of an utterance.
  package static func entry(_ name: String, _ frames: Int) -> JSON {
    ["feature_path": .string(name), "mel_len": .integer(frames)]
  }
}

/// A corpus to train on for a moment: each speaker a spectrum of its own, under noise. Some utterances are shorter
/// than a segment.
package struct SmallCorpus: Sendable {
  package let folder = TemporaryFolder()
  package var path: String { folder("data") }
  package let speakers: Int, utterances: Int

  package init(speakers: Int = 5, utterances: Int = 60) throws {
    self.speakers = speakers
    self.utterances = utterances
    let layout = try HomeworkFolder(folder("data"))
    var entries = Array(repeating: [JSON](), count: speakers)
    for utterance in 0..<utterances {
      let speaker = utterance % speakers
      let features = Self.features(speaker, utterance, frames: Self.frames(utterance))
      entries[speaker].append(try layout.write(features, to: "uttr-\(utterance).pt"))
    }
    try layout.write(speakers: entries.enumerated().map { ("speaker\($0)", $0, $1) })
  }

  /// The same corpus, packed.
  package func pack(files: Int) throws -> String {
    let output = folder("packed-\(files)")
    try Packer(source: path, output: output, files: files).run(threads: 1) { _, _ in }
    return output
  }

  /// Such a corpus as if it had been packed from sound: frames of any number of bands, and a recipe.
  ///
  /// - Parameter recipe: JSON; nil for none.
  package func packSound(_ name: String, files: Int, bands: Int, recipe: String?) throws -> String {
    let list = (0..<utterances).map { utterance in
      Utterance(
        path: "speaker\(utterance % speakers)/\(utterance).wav", frames: Self.frames(utterance),
        label: utterance % speakers)
    }
    let tests = (0..<7).map { Utterance(path: "test/\($0).wav", frames: 11 + 5 * $0, label: -1) }
    let contents = PackContents(
      speakers: (0..<speakers).map { "speaker\($0)" }, utterances: list, tests: tests, bands: bands,
      recipe: try recipe.map { try FeatureRecipe(text: $0, from: name) })
    let rows = SmallRows(speakers: speakers, contents: contents)
    try Packer(contents, rows: rows, output: folder(name), files: files).run(threads: 1) { _, _ in }
    return folder(name)
  }

  private static func frames(_ utterance: Int) -> Int { 9 + utterance * 17 % 40 }

  fileprivate static func features(
    _ speaker: Int, _ utterance: Int, frames: Int, bands: Int = Corpus.homeworkBands
  ) -> [Float] {
    let spectrum = RandomStream(seed: 1, purpose: .synthesis, shard: speaker)
    let noise = RandomStream(seed: 2, purpose: .synthesis, shard: utterance)
    return (0..<frames * bands).map { element in
      -6 + 4 * spectrum.uniform(at: element % bands) + 6 * (noise.uniform(at: element) - 0.5)
    }
  }
}

/// The rows of a small corpus that was never files.
private struct SmallRows: PackRows {
  let name = "a small corpus"
  let speakers: Int
  let contents: PackContents

  func rows(
    _ kind: PackKind, _ index: Int, _ buffer: FrameBuffer
  ) throws -> (bytes: UnsafeRawBufferPointer, checksum: UInt32) {
    let utterance = (kind == .shard ? contents.utterances : contents.tests!)[index]
    let number = kind == .shard ? index : 1_000 + index
    let values = SmallCorpus.features(
      number % speakers, number, frames: utterance.frames, bands: contents.bands)
    let memory = buffer.reserve(4 * values.count)
    values.withUnsafeBytes { memory.copyMemory(from: $0) }
    return (UnsafeRawBufferPointer(memory), CRC32.checksum(UnsafeRawBufferPointer(memory)))
  }

  func checksum(_ kind: PackKind, _ index: Int) throws -> UInt32? { nil }
}

/// A corpus of what is laid under speech, in MUSAN's kinds; some recordings are shorter than a segment.
package struct SmallNoise: Sendable {
  package let folder = TemporaryFolder()
  package var path: String { folder("noise") }

  package init() throws {
    let layout = try HomeworkFolder(folder("noise"))
    try layout.write(
      speakers: try ["music", "noise", "speech"].enumerated().map { label, kind in
        let entries = try (0..<5).map { number in
          let stream = RandomStream(seed: 4, purpose: .synthesis, step: label, shard: number)
          let frames = (0..<(7 + 11 * number) * Corpus.homeworkBands).map { -9 + 4 * stream.uniform(at: $0) }
          return try layout.write(frames, to: "uttr-\(kind)-\(number).pt")
        }
        return (kind, label, entries)
      })
  }
}
