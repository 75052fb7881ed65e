import Collectives
import DataParallel
import Diagnostics
import SpeakerNet
import TensorCore
import TensorFiles
import TestSupport
import Testing
import Training

/// The gradient's exchange, in buckets that go out while the backward pass still runs.
@Suite("Exchange", .serialized)
struct ExchangeTests {
  /// Two layers with their own weights; a conformer, whose BatchNorm sums lie between the buckets; one layer used
  /// twice, whose gradients are final only after its second use.
  static let models: [ModelConfiguration] = [
    model(.transformer, layers: 3, .mlpReLU), model(.conformer, layers: 2, .bnLinear),
    model(.convTransformer, layers: 2, .linear),
  ]

  static func model(
    _ kind: ModelConfiguration.EncoderKind, layers: Int, _ head: ModelConfiguration.Head
  ) -> ModelConfiguration {
    var model = ModelConfiguration()
    model.dModel = 8
    model.encoder.kind = kind
    model.encoder.layers = layers
    model.encoder.feedforward = 12
    model.encoder.kernel = 3
    model.head = head
    return model
  }

  @Test("the same bits in one bucket or many, on any number of ranks and threads", arguments: models)
  func sameBits(_ model: ModelConfiguration) throws {
    let expected = try train(model, ranks: 1, overlap: false)
    for ranks in [1, 2, 3, 4, 8] {
      for bucketFloats in [1, 300, 1 << 18] {
        let threads = ranks % 2 + 1
        let found = try train(model, ranks: ranks, threads: threads, bucketFloats: bucketFloats)
        #expect(found == expected, "\(ranks) ranks, \(threads) threads, buckets of \(bucketFloats)")
      }
      #expect(try train(model, ranks: ranks, overlap: false) == expected, "\(ranks) ranks without overlap")
    }
  }

  @Test("bfloat16 on the wire: other bits than floats, the same on any number of ranks", arguments: models)
  func sameBitsInHalves(_ model: ModelConfiguration) throws {
    let expected = try train(model, ranks: 1, overlap: false, exchange: .bf16)
    #expect(try train(model, ranks: 1) != expected)
    for ranks in [1, 2, 3, 4, 8] {
      for bucketFloats in [1, 300, 1 << 18] {
        let found = try train(model, ranks: ranks, bucketFloats: bucketFloats, exchange: .bf16)
        #expect(found == expected, "\(ranks) ranks, buckets of \(bucketFloats)")
      }
    }
  }

  @Test("ranks without a shard take part", arguments: models)
  func emptyRanks(_ model: ModelConfiguration) throws {
    let expected = try train(model, ranks: 1, shards: 2)
    #expect(try train(model, ranks: 5, shards: 2, bucketFloats: 200) == expected)
  }

  @Test("moments gathered from buckets of one size go on in buckets of another")
  func resume() throws {
    let model = Self.models[1]
    let expected = try train(model, ranks: 1, steps: 6)
    let half = try train(model, ranks: 3, steps: 3, bucketFloats: 150)
    #expect(half != expected)
    #expect(try train(model, ranks: 2, steps: 6, bucketFloats: 400, from: half) == expected)
  }

  @Test(
    "a slice that cannot be read ends the step on all ranks, with buckets under way", arguments: [1, 2, 4])
  func failure(_ ranks: Int) throws {
    #expect {
      try train(Self.models[1], ranks: ranks, bucketFloats: 100, source: MadeUpSlices(missingShard: 3))
    } throws: { error in
      (error as? Failure)?.kind == .badData && "\(error)".hasSuffix("shard 3 is gone")
    }
  }

  @Test(
    "a loss that is not a number ends the step on all ranks before anything has changed", arguments: [1, 3])
  func notANumber(_ ranks: Int) throws {
    #expect {
      try train(Self.models[0], ranks: ranks, bucketFloats: 100, source: MadeUpSlices(poisonedShard: 2))
    } throws: { error in
      "\(error)".contains("shard 2")
    }
  }
}

/// A training's end: what it would go on with.
private func train(
  _ model: ModelConfiguration, ranks: Int, threads: Int = 1, shards: Int = 8, steps: Int = 3,
  overlap: Bool = true,
  bucketFloats: Int = 1 << 18, exchange: NodePrecision = .f32, from start: Checkpoint? = nil,
  source: MadeUpSlices = MadeUpSlices()
) throws -> Checkpoint {
  KernelSet.start()
  var configuration = Configuration()
  configuration.model = model
  configuration.train.shards = shards
  configuration.train.batchSize = 2 * shards
  configuration.train.segmentLength = 7
  configuration.train.warmupSteps = 1
  configuration.train.totalSteps = 10
  configuration.train.overlap = overlap
  configuration.train.exchange = exchange
  let network = try SpeakerModel(model, speakers: 5)
  let prepared = configuration
  let ends = try ThreadGroup.run(size: ranks) { group in
    let trainer = try Trainer(
      group, configuration: prepared, model: network, threads: threads, bucketFloats: bucketFloats)
    if let start { try trainer.restore(group.rank == 0 ? start : nil, folder: "the test") }
    while trainer.step < steps { _ = try trainer.takeStep(from: source) }
    let snapshot = try trainer.copy()?.tensors()
    let progress = RunProgress(step: trainer.step, configuration: Configuration())
    return (
      snapshot.map { Checkpoint(progress: progress, model: $0.model, optimizer: $0.optimizer) },
      trainer.weights
    )
  }
  for (_, weights) in ends { #expect(weights == ends[0].1, "a rank has other weights than rank 0") }
  return ends[0].0!
}

extension Trainer {
  /// This rank's parameters.
  fileprivate var weights: [Float] {
    Array(UnsafeBufferPointer(start: state.parameters, count: state.layout.count))
  }
}

/// Slices of numbers that depend on their place and the step: two samples of seven frames, five speakers.
struct MadeUpSlices: SliceSource {
  var missingShard = -1
  var poisonedShard = -1

  func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws {
    if shard == missingShard { throw Failure(.badData, "shard \(shard) is gone") }
    let stream = RandomStream(seed: 11, purpose: .synthesis, step: step, shard: shard)
    for index in 0..<2 * 7 * SpeakerModel.homeworkBands {
      mels[index] = 4 * Float(stream.uniform(at: index)) - 2
    }
    for sample in 0..<2 { labels[sample] = Int32((3 * shard + step + sample) % 5) }
    if shard == poisonedShard { mels[0] = .nan }
  }
}
