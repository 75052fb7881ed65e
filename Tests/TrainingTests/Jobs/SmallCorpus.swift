import Foundation
import SpeechData
import TensorCore
import TensorFiles

/// Features in the homework's layout: each speaker a spectrum of its own, under noise. Some utterances are shorter
/// than a segment.
struct SmallCorpus {
  let folder = TemporaryFolder()
  var path: String { "\(folder.path)/data" }
  let speakers: Int, utterances: Int

  init(speakers: Int = 5, utterances: Int = 60) throws {
    self.speakers = speakers
    self.utterances = utterances
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let names = (0..<speakers).map { "speaker\($0)" }
    var entries = Array(repeating: [JSON](), count: speakers)
    for utterance in 0..<utterances {
      let speaker = utterance % speakers
      let frames = 9 + utterance * 17 % 40
      try TorchFile.writeTensor(
        Tensor(float32: Self.features(speaker, utterance, frames: frames), shape: [frames, Corpus.bins]),
        to: "\(path)/uttr-\(utterance).pt")
      entries[speaker].append(["feature_path": .string("uttr-\(utterance).pt"), "mel_len": .integer(frames)])
    }
    try write(
      "metadata.json",
      [
        "n_mels": .integer(Corpus.bins),
        "speakers": .object(JSONObject(zip(names, entries).map { ($0, .array($1)) })),
      ])
    try write(
      "mapping.json",
      [
        "speaker2id": .object(JSONObject(names.enumerated().map { ($1, .integer($0)) })),
        "id2speaker": .object(JSONObject(names.enumerated().map { ("\($0)", .string($1)) })),
      ])
  }

  /// The same corpus, packed.
  func pack(files: Int) throws -> String {
    let output = "\(folder.path)/packed-\(files)"
    try Packer(source: path, output: output, files: files).run(threads: 1) { _, _ in }
    return output
  }

  private static func features(_ speaker: Int, _ utterance: Int, frames: Int) -> [Float] {
    let spectrum = RandomStream(seed: 1, purpose: .synthesis, shard: speaker)
    let noise = RandomStream(seed: 2, purpose: .synthesis, shard: utterance)
    return (0..<frames * Corpus.bins).map { element in
      -6 + 4 * spectrum.uniform(at: element % Corpus.bins) + 6 * (noise.uniform(at: element) - 0.5)
    }
  }

  private func write(_ name: String, _ json: JSON) throws {
    try json.serialized().write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
  }
}
