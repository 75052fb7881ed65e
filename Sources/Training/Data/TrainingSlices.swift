import DataParallel
import SpeechData
import TensorCore

/// Random crops of a rank's own training utterances, augmented.
///
/// What slot `i` of a shard holds in a step is a function of (seed, step, shard, i); memory is taken once.
package final class TrainingSlices: SliceSource, @unchecked Sendable {
  // Unchecked: what belongs to a shard is used by the one worker that carries it.
  private let data: TrainingData
  private let settings: AugmentationSettings
  private let localShards: Range<Int>
  private let shape: BatchShape
  private let lengths: ClosedRange<Int>
  private let seed: UInt64
  private let mixup: Mixup?
  /// By local shard.
  private let workers: UnsafeMutablePointer<Worker>

  /// What one shard is filled with.
  private struct Worker {
    /// One of the two.
    var epochs: ShardSampler?
    var speakers: SpeakerSampler?
    /// `nil` where nothing is augmented.
    let augmenter: Augmenter?
    /// `nil` where features are augmented.
    let sound: SoundCrops?
    /// A slice to work in, for mixtures.
    let copy: Matrix?

    mutating func utterance(step: Int, slot: Int) -> Int {
      epochs?.utterance(step: step, slot: slot) ?? speakers!.utterance(step: step, slot: slot)
    }
  }

  init(
    _ data: TrainingData, localShards: Range<Int>, _ configuration: Configuration,
    _ recordings: Augmenter.Recordings, _ sound: SoundCrops.Material?
  ) throws {
    let train = configuration.train, shape = configuration.batchShape, bands = data.corpus.bands
    let settings = configuration.augment
    self.data = data
    self.settings = settings
    self.localShards = localShards
    self.shape = shape
    lengths = train.segmentLengths
    seed = train.seed
    mixup = settings.mixup > 0 ? Mixup(alpha: settings.mixup) : nil
    let made = try localShards.map { shard in
      let members = data.training[shard]
      var worker = Worker(
        augmenter: settings.isOn
          ? Augmenter(settings, scale: data.scale, recordings: recordings, frames: shape.frames) : nil,
        sound: sound.map { SoundCrops($0, settings) },
        copy: settings.mixup > 0 ? .owned(rows: shape.samplesPerShard * shape.frames, columns: bands) : nil)
      if let perSpeaker = configuration.data.utterancesPerSpeaker {
        worker.speakers = try SpeakerSampler(
          members: members.map { ($0, data.label(of: $0)) }, perSpeaker: perSpeaker,
          sliceSize: shape.samplesPerShard, seed: train.seed, shard: shard)
      } else {
        worker.epochs = try ShardSampler(
          members: members, sliceSize: shape.samplesPerShard, seed: train.seed, shard: shard)
      }
      return worker
    }
    workers = .allocate(capacity: max(1, made.count))
    for (index, worker) in made.enumerated() { (workers + index).initialize(to: worker) }
  }

  deinit {
    for worker in UnsafeBufferPointer(start: workers, count: localShards.count) {
      worker.copy?.base.deallocate()
    }
    workers.deinitialize(count: localShards.count)
    workers.deallocate()
  }

  package func frames(ofStep step: Int) -> Int? {
    guard lengths.count > 1 else { return nil }
    let stream = RandomStream(seed: seed, purpose: .segmentLength, step: step)
    return lengths.lowerBound + stream.integer(below: lengths.count, at: 0)
  }

  package func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws {
    let worker = workers + (shard - localShards.lowerBound)
    let frames = frames(ofStep: step) ?? shape.frames, bands = data.corpus.bands
    let reader = SegmentReader(corpus: data.corpus, length: frames, normalization: data.normalization)
    for sample in 0..<shape.samplesPerShard {
      let utterance = worker.pointee.utterance(step: step, slot: sample)
      labels[sample] = Int32(data.label(of: utterance))
      let segment = Matrix(mels + sample * frames * bands, rows: frames, columns: bands)
      let start = Crop.training(seed: seed, step: step, shard: shard, sample: sample)
      guard let augmenter = worker.pointee.augmenter else {
        try reader.copySegment(of: utterance, start, into: segment.base)
        continue
      }
      let draws = AugmentationDraws(settings, seed: seed, step: step, shard: shard, sample: sample)
      let speed = draws.speed
      labels[sample] += Int32(settings.speed.variant(speed) * data.speakers.names.count)
      let available =
        try worker.pointee.sound?.copyCrop(
          of: utterance, frames: data.corpus.utterances[utterance].frames, speed: speed, start: start, draws,
          into: segment)
        ?? augmenter.copyCrop(of: utterance, in: data.corpus, speed: speed, start: start, into: segment)
      let crop = segment.rows(0..<available)
      try augmenter.distort(crop, draws)
      data.normalization.apply(to: crop.base, frames: available, bands: bands)
      augmenter.mask(crop, draws)
      segment.rows(available..<frames).base.update(
        repeating: data.normalization.padding, count: (frames - available) * bands)
    }
  }

  package func mix(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafePointer<Int32>,
    others: UnsafeMutablePointer<Int32>, parts: UnsafeMutablePointer<Float>
  ) -> Bool {
    guard let mixup, let copy = workers[shard - localShards.lowerBound].copy else { return false }
    let samples = shape.samplesPerShard, frames = frames(ofStep: step) ?? shape.frames
    mixup(
      Matrix(mels, rows: samples * frames, columns: data.corpus.bands), samples: samples,
      copy: copy.rows(0..<samples * frames), labels: labels, others: others, weights: parts
    ) { sample in
      AugmentationDraws(settings, seed: seed, step: step, shard: shard, sample: sample)
    }
    return true
  }
}

extension Matrix {
  /// Memory of its own, zero, which whoever made it gives back.
  fileprivate static func owned(rows: Int, columns: Int) -> Matrix {
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: max(1, rows * columns))
    memory.initialize(repeating: 0, count: rows * columns)
    return Matrix(memory, rows: rows, columns: columns)
  }
}
