import Collectives
import DataParallel
import Diagnostics
import SpeakerNet
import TensorFiles

extension Trainer {
  /// A training as the configuration describes it.
  ///
  /// - Parameters:
  ///   - threads: shards that this rank carries through the network at a time.
  ///   - bucketFloats: how much of the gradient is sent at once, at least, while the backward pass goes on.
  package convenience init(
    _ communicator: C, configuration: Configuration, model: SpeakerModel, threads: Int,
    bucketFloats: Int = GradientBuckets.leastFloats
  ) throws {
    let train = configuration.train
    try self.init(
      communicator, model: model,
      settings: TrainerSettings(
        batch: configuration.batchShape, seed: train.seed,
        learningRate: LearningRate(
          peak: train.learningRate, warmupSteps: train.warmupSteps, totalSteps: train.totalSteps),
        exchange: ExchangeSettings(
          reduction: train.reduction, precision: train.exchange, overlaps: train.overlap,
          bucketFloats: bucketFloats, weightDecay: train.weightDecay)),
      threads: threads)
  }

  /// Goes on from a checkpoint, which only rank 0 has. Collective.
  ///
  /// - Throws: bad data, on every rank, when the checkpoint is of another model.
  package func restore(_ checkpoint: Checkpoint?, folder: String) throws {
    try restore(
      communicator.agreeing {
        try checkpoint.map { try TrainerState($0, layout: model.layout, folder: folder) }
      })
  }
}

extension Configuration {
  /// The global batch: `shards` equal slices.
  package var batchShape: BatchShape {
    BatchShape(
      samplesPerShard: train.batchSize / train.shards, frames: train.segmentLength, shards: train.shards)
  }
}

// What a training goes on from, as the tensors of a checkpoint.
extension TrainerState {
  /// The weights under their PyTorch names, and the moments as in `torch.optim.AdamW`: `exp_avg.NAME` and
  /// `exp_avg_sq.NAME`, each in its parameter's shape.
  package func tensors() -> (model: NamedTensors, optimizer: NamedTensors) {
    let optimizer = model.layout.entries.filter(\.isTrained).flatMap { entry in
      let place = entry.parameter.offset..<entry.parameter.offset + entry.parameter.count
      return [
        ("exp_avg.\(entry.name)", Tensor(float32: Array(moments.moment[place]), shape: entry.shape)),
        ("exp_avg_sq.\(entry.name)", Tensor(float32: Array(moments.variance[place]), shape: entry.shape)),
      ]
    }
    return (model.stateDict(), NamedTensors(optimizer))
  }

  /// - Throws: bad data when something is missing or has another shape.
  init(_ checkpoint: Checkpoint, layout: ParameterLayout, folder: String) throws {
    let model = ModelState(layout: layout)
    try model.load(checkpoint.model, file: "\(folder)/model.safetensors")
    var moments = Moments(moment: [], variance: [])
    moments.moment.reserveCapacity(layout.trainedCount)
    moments.variance.reserveCapacity(layout.trainedCount)
    for entry in layout.entries where entry.isTrained {
      let file = "\(folder)/optimizer.safetensors"
      moments.moment += try Self.values("exp_avg.\(entry.name)", entry.shape, checkpoint.optimizer, file)
      moments.variance += try Self.values(
        "exp_avg_sq.\(entry.name)", entry.shape, checkpoint.optimizer, file)
    }
    self.init(step: checkpoint.progress.step, model: model, moments: moments)
  }

  private static func values(
    _ name: String, _ shape: [Int], _ tensors: NamedTensors, _ file: String
  ) throws(Failure) -> [Float] {
    let tensor = try tensors.tensor(name, in: file)
    guard tensor.shape == shape else {
      throw Failure(.badData, "\(file): \(name) has shape \(tensor.shape), but the model needs \(shape)")
    }
    return try tensor.float32Values(named: name, in: file)
  }
}
