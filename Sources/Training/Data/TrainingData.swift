import Audio
import Collectives
import Diagnostics
import SpeechData

/// The corpus as a run sees it: the notebook's split, of the speakers that are not held out, laid over the run's shards.
///
/// A rank opens the index of the whole corpus and the frames of its own shards only.
package struct TrainingData: Sendable {
  package let corpus: Corpus
  package let split: TrainValidSplit
  /// Who is trained on, and under which labels.
  package let speakers: SpeakerSelection
  /// What a number in the features means.
  package let scale: FeatureScale
  /// Shards of the run.
  let shards: Int
  /// What is taken off what the network sees.
  let normalization: FeatureSettings.MeanNormalization
  /// For each shard, its training utterances in layout order.
  let training: [[Int]]
  /// For each shard, its validation utterances as positions in `split.validation`, ascending.
  let validation: [[Int]]

  /// Opens the index of a directory.
  package init(directory: String, _ configuration: Configuration) throws {
    let corpus = try Corpus.open(directory)
    self.corpus = corpus
    let shards = configuration.train.shards
    self.shards = shards
    let speakers = try SpeakerSelection(
      of: corpus.speakers, holdingOut: configuration.data.holdoutSpeakers)
    self.speakers = speakers
    // What the data says of itself goes before what the configuration says of data that does not.
    scale =
      corpus.recipe.flatMap(FeatureScale.init)
      ?? FeatureScale(FrontEndParameters(configuration.features, rate: configuration.audio.rate))
    normalization = configuration.features.meanNormalization
    let split = TrainValidSplit(of: corpus, seed: configuration.train.seed)
      .filter { speakers.labels[corpus.utterances[$0].label] != nil }
    self.split = split
    training = try ShardSampler.trainingMembers(of: corpus, split: split, shards: shards)
    var shardOf = [Int](repeating: 0, count: corpus.utterances.count)
    for shard in 0..<shards {
      for utterance in try corpus.members(ofShard: shard, of: shards) { shardOf[utterance] = shard }
    }
    var validation = [[Int]](repeating: [], count: shards)
    for (position, utterance) in split.validation.enumerated() {
      validation[shardOf[utterance]].append(position)
    }
    self.validation = validation
  }

  /// The label of an utterance's speaker among those that are trained on.
  func label(of utterance: Int) -> Int { speakers.labels[corpus.utterances[utterance].label] ?? 0 }

  /// Checks that every shard has something to train on.
  ///
  /// - Throws: `usage` that names a shard without.
  func checkTraining() throws {
    for (shard, members) in training.enumerated() where members.isEmpty {
      throw ShardSampler.nothingToDraw(shard)
    }
  }
}

extension TrainingData {
  /// Reads and verifies the frames of a rank's shards, with a progress line.
  package func prepare(_ localShards: Range<Int>, threads: Int, console: Console) throws {
    let utterances = localShards.flatMap { shard in
      training[shard] + validation[shard].map { split.validation[$0] }
    }
    try show(utterances.count, console) { progress in
      try corpus.prepare(utterances, threads: threads, progress: progress)
    }
  }

  /// Reads and verifies what a rank needs for a validation, with a progress line.
  func prepareValidation(_ localShards: Range<Int>, threads: Int, console: Console) throws {
    let utterances = localShards.flatMap { validation[$0] }.map { split.validation[$0] }
    try show(utterances.count, console) { progress in
      try corpus.prepare(utterances, threads: threads, progress: progress)
    }
  }

  private func show(
    _ total: Int, _ console: Console, _ load: (_ progress: (_ done: Int, _ total: Int) -> Void) throws -> Void
  ) throws {
    try console.progress("Load", unit: "uttr", total: total) { bar in
      try load { done, _ in bar.reach(done) }
    }
  }
}

extension Communicator {
  /// Checks that every rank has opened the same data, so that a stale copy on one host is noticed. Collective.
  ///
  /// - Parameter fingerprint: `Corpus.fingerprint`, or `testFingerprint`.
  /// - Throws: `badData` on all ranks, naming those whose data is not rank 0's.
  func checkSameData(_ fingerprint: UInt64, _ directory: String) throws {
    let all = try allGather(fingerprint)
    let odd = all.indices.filter { all[$0] != all[0] }
    guard !odd.isEmpty else { return }
    let (named, first) = (try places(of: odd), try places(of: [0]))
    throw Failure(
      .badData, "\(directory): \(named) found other utterances there than \(first): is it a stale copy?")
  }
}
