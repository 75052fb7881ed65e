import Collectives
import Diagnostics
import Foundation
import SpeechData
import TensorFiles

/// The options of `baseline`, and the work: how far the nearest mean spectrum comes on the validation split.
public struct BaselineJob: Job {
  /// The homework's directory or a packed one.
  public var data: String
  /// `train.seed` of the split.
  public var seed: UInt64
  /// Whether the result is one JSON object.
  public var json = false

  /// Judges the nearest mean spectrum on `data`.
  public init(data: String, seed: UInt64 = Configuration().train.seed) {
    self.data = data
    self.seed = seed
  }

  /// Reads every frame once, on rank 0; the other ranks wait.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    let threads = try ThreadCount.resolve(nil, communicator)
    _ = try communicator.onRankZero {
      var configuration = Configuration()
      configuration.train.seed = seed
      configuration.train.shards = 1
      let data = try TrainingData(directory: data, configuration)
      try data.prepare(0..<1, threads: threads, console: console)
      let training = try data.training[0].map { try data.meanSpectrum(of: $0) }
      let validation = try data.split.validation.map { try data.meanSpectrum(of: $0) }
      let classifier = NearestCentroid(
        means: training, labels: data.labels(of: data.training[0]), speakers: data.corpus.speakers.count)
      let accuracy = classifier.accuracy(means: validation, labels: data.labels(of: data.split.validation))
      try report(accuracy, utterances: validation.count, console)
    }
  }

  private func report(_ accuracy: Double, utterances: Int, _ console: Console) throws {
    if json {
      let object: JSON = ["accuracy": .number(accuracy), "utterances": .integer(utterances)]
      try console.result(object.serialized())
    } else {
      try console.result(
        String(format: "accuracy %.4f", accuracy)
          + " on \(utterances) whole utterances, by the nearest mean spectrum of a speaker")
    }
  }
}

extension TrainingData {
  fileprivate func labels(of utterances: [Int]) -> [Int] { utterances.map { corpus.utterances[$0].label } }

  fileprivate func meanSpectrum(of utterance: Int) throws -> [Float] {
    let count = corpus.utterances[utterance].frames
    var frames = [Float](repeating: 0, count: count * corpus.bands)
    try frames.withUnsafeMutableBufferPointer {
      try corpus.copyFrames(of: utterance, from: 0, count: count, into: $0.baseAddress!)
    }
    return NearestCentroid.mean(frames, bands: corpus.bands)
  }
}
