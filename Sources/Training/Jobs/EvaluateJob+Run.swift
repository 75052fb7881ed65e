import Collectives
import Diagnostics
import Foundation
import TensorCore
import TensorFiles

extension EvaluateJob {
  /// Accuracy and loss on the validation split of the weights' own seed.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    let trained = try TrainedModel(source, overrides: overrides, group, note: console.info)
    let threads = try ThreadCount.resolve(threads, group)
    KernelSet.start()
    let train = trained.configuration.train
    let data = try group.agreeing {
      try trained.configuration.check(ranks: group.size)
      let opened = try TrainingData(directory: self.data, seed: train.seed, shards: train.shards)
      try trained.check(speakers: opened.corpus.speakers.count, of: self.data)
      return opened
    }
    try group.checkSameData(data.corpus.fingerprint, self.data)
    let run = ShardOwnership(shards: train.shards, ranks: group.size).shards(of: group.rank)
    try group.agreeing { try data.prepareValidation(run, threads: threads, console: console) }
    let validator = Validator(
      communicator: group, model: trained.model, data: data,
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
