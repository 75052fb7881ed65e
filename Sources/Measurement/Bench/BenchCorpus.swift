import Collectives
import Diagnostics
import Foundation
import SpeechData
import TensorCore
import TensorFiles
import Training

/// Made-up data of the homework's shape: its 600 speakers and its distribution of lengths, but 1,440 utterances
/// instead of 64,666. Frames are noise, for how long a step takes does not depend on what was said.
///
/// It is written in the homework's layout, packed by the project's own packer, and kept in the user's cache folder,
/// so that a measurement reads what a training run reads.
struct BenchCorpus: Sendable {
  static let speakers = 600, training = 1_200, tests = 240
  static let seed: UInt64 = 87

  /// Shard files.
  let files: Int
  /// Where it is kept, or will be.
  var directory: String { "\(Self.cache)/bench-\(Self.speakers)x\(Self.training)-\(files)" }

  /// A corpus that a run of `shards` shards can read.
  init(shards: Int) { files = 8.isMultiple(of: shards) ? 8 : shards }

  private static var cache: String { (BuiltInCorpus.directory as NSString).deletingLastPathComponent }

  /// Makes sure that every host has the corpus; one process of each host writes it. Collective.
  func provide<C: Communicator>(_ communicator: C, threads: Int, console: Console) throws -> String {
    let leads = try communicator.isFirstOfHost()
    try communicator.agreeing {
      guard leads, !FileSystem.exists(directory) else { return }
      console.info("Making up data of the homework's shape in \(directory), once")
      try write(threads: threads)
    }
    return directory
  }

  /// Writes it beside its place and moves it there whole, so that a run that was stopped leaves nothing half done.
  private func write(threads: Int) throws {
    let unfinished = "\(directory).\(ProcessInfo.processInfo.processIdentifier)"
    let features = "\(unfinished)/features", packed = "\(unfinished)/packed"
    defer { try? FileSystem.remove(unfinished) }
    try FileWriting.createFolder(features)
    try writeFeatures(into: features)
    try Packer(source: features, output: packed, files: files).run(threads: threads) { _, _ in }
    // Another process may have been faster with the same corpus.
    guard rename(packed, directory) == 0 || FileSystem.exists(directory) else {
      throw FileSystem.failure(directory, "the made-up corpus cannot be put there")
    }
  }

  private func writeFeatures(into folder: String) throws {
    let names = (0..<Self.speakers).map { String(format: "id%05d", $0) }
    var bySpeaker = [[JSON]](repeating: [], count: Self.speakers)
    for utterance in 0..<Self.training {
      bySpeaker[utterance % Self.speakers].append(try writeUtterance(utterance, into: folder))
    }
    let tests = try (Self.training..<Self.training + Self.tests).map { try writeUtterance($0, into: folder) }
    let lists: [(String, JSON)] = [
      (
        "metadata.json",
        [
          "n_mels": .integer(Corpus.homeworkBands),
          "speakers": .object(JSONObject(zip(names, bySpeaker).map { ($0, .array($1)) })),
        ]
      ),
      ("testdata.json", ["n_mels": .integer(Corpus.homeworkBands), "utterances": .array(tests)]),
      (
        "mapping.json",
        [
          "speaker2id": .object(JSONObject(names.enumerated().map { ($1, .integer($0)) })),
          "id2speaker": .object(JSONObject(names.enumerated().map { (String($0), .string($1)) })),
        ]
      ),
    ]
    for (name, list) in lists {
      try FileWriting.writeAtomically(Array(list.serialized(indent: 2).utf8), to: "\(folder)/\(name)")
    }
  }

  /// Writes one utterance and returns its entry in the lists.
  private func writeUtterance(_ utterance: Int, into folder: String) throws -> JSON {
    let stream = RandomStream(seed: Self.seed, purpose: .synthesis, sample: utterance)
    let frames = LengthDistribution.homework.frames(at: stream.uniform(at: 0))
    // Log-mels lie between about -20 and 5.
    let values = (0..<frames * Corpus.homeworkBands).map { 12 * stream.uniform(at: 4 + $0) - 14 }
    let name = String(format: "uttr-%032x.pt", utterance)
    try TorchFile.writeTensor(
      Tensor(float32: values, shape: [frames, Corpus.homeworkBands]), to: "\(folder)/\(name)")
    return ["feature_path": .string(name), "mel_len": .integer(frames)]
  }
}
