import Audio
import Collectives
import DataParallel
import Diagnostics
import SpeechData

/// The corpus as a run sees it: the notebook's split, laid over the run's shards.
///
/// A rank opens the index of the whole corpus and the frames of its own shards only.
package struct TrainingData: Sendable {
  package let corpus: Corpus
  package let split: TrainValidSplit
  /// Shards of the run.
  let shards: Int
  /// What is taken off what the network sees.
  let normalization: FeatureSettings.MeanNormalization
  /// For each shard, its training utterances in layout order.
  let training: [[Int]]
  /// For each shard, its validation utterances as positions in `split.validation`, ascending.
  let validation: [[Int]]

  /// Opens the index of a directory.
  package init(
    directory: String, seed: UInt64, shards: Int, normalization: FeatureSettings.MeanNormalization = .none
  ) throws {
    corpus = try Corpus.open(directory)
    self.shards = shards
    self.normalization = normalization
    let split = TrainValidSplit(count: corpus.utterances.count, seed: seed)
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

  /// Checks that every shard has something to train on.
  ///
  /// - Throws: `usage` that names a shard without.
  func checkTraining() throws {
    for (shard, members) in training.enumerated() where members.isEmpty {
      throw ShardSampler.nothingToDraw(shard)
    }
  }

  /// The utterances and labels of local shards, ready to be drawn from.
  package func slices(of localShards: Range<Int>, shape: BatchShape, seed: UInt64) throws -> TrainingSlices {
    try TrainingSlices(self, localShards: localShards, shape: shape, seed: seed)
  }
}

/// Random crops of a rank's own training utterances.
package final class TrainingSlices: SliceSource, @unchecked Sendable {
  // Unchecked: each sampler is used by the one worker that carries its shard.
  private let corpus: Corpus
  private let reader: SegmentReader
  private let localShards: Range<Int>
  private let shape: BatchShape
  private let seed: UInt64
  private let samplers: UnsafeMutablePointer<ShardSampler>

  init(_ data: TrainingData, localShards: Range<Int>, shape: BatchShape, seed: UInt64) throws {
    corpus = data.corpus
    reader = SegmentReader(corpus: data.corpus, length: shape.frames, normalization: data.normalization)
    self.localShards = localShards
    self.shape = shape
    self.seed = seed
    let made = try localShards.map { shard in
      try ShardSampler(
        members: data.training[shard], sliceSize: shape.samplesPerShard, seed: seed, shard: shard)
    }
    samplers = .allocate(capacity: max(1, made.count))
    for (index, sampler) in made.enumerated() { (samplers + index).initialize(to: sampler) }
  }

  deinit {
    samplers.deinitialize(count: localShards.count)
    samplers.deallocate()
  }

  package func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws {
    let sampler = samplers + (shard - localShards.lowerBound)
    for sample in 0..<shape.samplesPerShard {
      let utterance = sampler.pointee.utterance(step: step, slot: sample)
      labels[sample] = Int32(corpus.utterances[utterance].label)
      try reader.copySegment(
        of: utterance, Crop.training(seed: seed, step: step, shard: shard, sample: sample),
        into: mels + sample * shape.frames * corpus.bands)
    }
  }
}

extension TrainingData {
  /// Reads and verifies the frames of a rank's shards, with a progress line.
  package func prepare(_ localShards: Range<Int>, threads: Int, console: Console) throws {
    let total = localShards.reduce(0) { $0 + training[$1].count + validation[$1].count }
    try show(total, console) { progress in
      try corpus.prepare(shards: localShards, of: shards, threads: threads, progress: progress)
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
