import Collectives
import DataParallel
import Diagnostics
import SpeakerNet
import TensorCore
import TensorFiles

/// The options of `gradients`, and the work: one pass over a given batch.
public struct GradientsJob: Job {
  /// The configuration of the network; `nil` for the defaults.
  public var configurationFiles: [String]
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// The weights; they say how many speakers there are.
  public var weights: String
  /// The global batch: `mels` F32 [B, T, bands] and `labels` I64 [B].
  public var batch: String
  /// Where `loss`, `logits` and `grad.NAME` go; `-` for standard output.
  public var output: String
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// One forward and backward pass of `weights` on `batch`.
  public init(configurationFiles: [String], weights: String, batch: String, output: String) {
    self.configurationFiles = configurationFiles
    self.weights = weights
    self.batch = batch
    self.output = output
  }

  /// One forward and backward pass over a given batch, as a training step computes it, dropout off.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    _ = try communicator.onRankZero {
      try OutputFiles([("--output", output)]).check(
        reading: [("--batch", self.batch), ("--weights", weights)]
          + configurationFiles.map { ("--config", $0) })
    }
    let trained = try TrainedModel(
      .file(weights: weights, configurations: configurationFiles), overrides: overrides, communicator,
      note: console.info)
    let threads = try ThreadCount.resolve(threads, communicator)
    KernelSet.start()
    let batch = try communicator.agreeing {
      let batch = try GivenBatch(file: self.batch, trained.model)
      let values = trained.configuration.model.batchNormValues(samples: batch.samples, frames: batch.frames)
      guard values != 1 else {
        throw Failure(
          .badData,
          "\(self.batch): mels leaves BatchNorm one value of each channel, which has no variance; at least 2 samples"
        )
      }
      return batch
    }
    // As many slices as the configuration has shards, or as divide the batch; the ranks have no say in it.
    let most = min(trained.configuration.train.shards, batch.samples)
    let shards = (1...most).last { batch.samples.isMultiple(of: $0) } ?? 1
    let shape = BatchShape(samplesPerShard: batch.samples / shards, frames: batch.frames, shards: shards)
    let layout = trained.model.layout
    let step = try GradientStep(
      communicator, model: trained.model, state: trained.state, batch: shape, threads: threads,
      exchange: ExchangeSettings(overlaps: false))
    let counts = (0..<communicator.size).map {
      ShardOwnership(shards: shards, ranks: communicator.size).shards(of: $0).count * shape.samplesPerShard
        * trained.model.classes
    }
    var mine = [Float](repeating: 0, count: counts[communicator.rank])
    let outcome = try mine.withUnsafeMutableBufferPointer { logits in
      step.begin(0, source: batch.source(shape), dropoutSeed: nil, logits: logits.baseAddress)
      step.runSlices()
      return try step.agree()
    }
    guard outcome.isSound else { throw try step.refuse() }
    let sum = try step.summedGradient()
    let logits = try mine.withUnsafeBufferPointer { try communicator.gather($0, counts: counts) }
    try communicator.agreeing {
      guard let logits else { return }
      var tensors: [(String, Tensor)] = [
        ("loss", Tensor(float32: [outcome.loss], shape: [1])),
        ("logits", Tensor(float32: logits, shape: [batch.samples, trained.model.classes])),
      ]
      for entry in layout.entries where entry.isTrained {
        let place = entry.parameter.offset..<entry.parameter.offset + entry.parameter.count
        tensors.append(("grad.\(entry.name)", Tensor(float32: Array(sum[place]), shape: entry.shape)))
      }
      for entry in layout.entries where !entry.isTrained {
        let zeros = [Float](repeating: 0, count: entry.parameter.count)
        tensors.append(("grad.\(entry.name)", Tensor(float32: zeros, shape: entry.shape)))
      }
      try OutputFiles.write(Safetensors.serialize(NamedTensors(tensors)), to: output, console)
    }
    let place = OutputFiles.isStandardOutput(output) ? "standard output" : output
    console.info("loss \(outcome.loss); the gradients are in \(place)")
  }
}

/// A batch from a file: `mels` F32 [B, T, bands] and `labels` I64 [B].
private struct GivenBatch {
  let samples: Int, frames: Int
  private let mels: [Float]
  private let labels: [Int32]
  private let bands: Int

  init(file: String, _ model: SpeakerModel) throws {
    let tensors = try Safetensors.read(path: file)
    let melTensor = try tensors.tensor("mels", in: file)
    let labelTensor = try tensors.tensor("labels", in: file)
    let shape = melTensor.shape
    guard shape.count == 3, shape[2] == model.bands, shape[0] > 0, shape[1] > 0 else {
      throw Failure(
        .badData,
        "\(file): mels has shape \(shape), expected [samples, frames, \(model.bands)], the bands of the weights"
      )
    }
    guard labelTensor.shape == [shape[0]] else {
      throw Failure(.badData, "\(file): labels has shape \(labelTensor.shape), expected [\(shape[0])]")
    }
    mels = try melTensor.float32Values(named: "mels", in: file)
    guard mels.allSatisfy(\.isFinite) else {
      throw Failure(.badData, "\(file): mels holds a value that is not finite")
    }
    labels = try labelTensor.int64Values(named: "labels", in: file).map { label in
      guard (0..<Int64(model.classes)).contains(label) else {
        throw Failure(
          .badData, "\(file): label \(label) is not one of the \(model.classes) speakers of the weights")
      }
      return Int32(label)
    }
    (samples, frames, bands) = (shape[0], shape[1], shape[2])
  }

  func source(_ shape: BatchShape) -> Source { Source(batch: self, shape: shape) }

  struct Source: SliceSource {
    let batch: GivenBatch
    let shape: BatchShape

    func fill(
      shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
    ) throws {
      let count = shape.samplesPerShard * shape.frames * batch.bands
      for index in 0..<count { mels[index] = batch.mels[shard * count + index] }
      for sample in 0..<shape.samplesPerShard {
        labels[sample] = batch.labels[shard * shape.samplesPerShard + sample]
      }
    }
  }
}
