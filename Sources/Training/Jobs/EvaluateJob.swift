import Collectives
import Diagnostics
import Foundation
import TensorCore
import TensorFiles

/// The options of `evaluate`, and the work: accuracy and loss on the validation split.
public struct EvaluateJob: Job {
  /// The weights, and the network they belong to.
  public var source: WeightsSource
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// A folder of features or of sound.
  public var data: String
  /// Whether whole utterances are judged instead of segments.
  public var whole = false
  /// Whether the result is one JSON object.
  public var json = false
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Evaluates `source` on the validation split of `data`.
  public init(source: WeightsSource, data: String) {
    self.source = source
    self.data = data
  }

  /// Accuracy and loss on the validation split of the weights' own seed.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    let trained = try TrainedModel(source, overrides: overrides, communicator, note: console.info)
    let threads = try ThreadCount.resolve(threads, communicator)
    KernelSet.start()
    let train = trained.configuration.train
    let cache = try SoundCache(
      self.data, trained.configuration, communicator,
      hearing: { try trained.configurationForSound(overrides, warn: console.warning) })
    let directory = try cache?.provide(communicator, console: console) ?? self.data
    let data = try communicator.agreeing {
      let opened = try TrainingData(directory: directory, trained.configuration)
      try trained.check(opened.corpus, warn: console.warning)
      return opened
    }
    try communicator.checkSameData(data.corpus.fingerprint, self.data)
    // With more ranks than shards the last ones have nothing to judge.
    let localShards = ShardOwnership(shards: train.shards, ranks: communicator.size).shards(
      of: communicator.rank)
    try communicator.agreeing { try data.prepareValidation(localShards, threads: threads, console: console) }
    let validator = Validator(
      communicator: communicator, model: trained.model, data: data,
      unit: whole ? .wholeUtterances : .segments(frames: train.segmentLength), seed: train.seed,
      team: EvaluationTeam(threads: threads))
    let result = try validator(trained.state, console: console)
    if json {
      let object: JSON = [
        "accuracy": .number(result.accuracy), "loss": .number(result.loss),
        "utterances": .integer(result.utterances),
        "whole": .bool(whole), "weights": .string(trained.file),
      ]
      try console.result(object.serialized())
    } else {
      let unit = whole ? "whole utterances" : "segments of \(train.segmentLength) frames"
      try console.result(
        String(format: "accuracy %.4f, loss %.4f", result.accuracy, result.loss)
          + " on \(result.utterances) \(unit), with \(trained.file)")
    }
  }
}
