import Collectives
import Diagnostics
import SpeakerNet
import TensorCore
import TensorFiles

/// One training run on one rank: the state that a step changes, and the step.
///
/// The state is (steps done, parameters, running statistics, moments); everything random is a function of the step,
/// so a run goes on from a checkpoint bit for bit, on any number of ranks and threads.
package final class Trainer<C: Communicator> {
  let configuration: Configuration
  let model: SpeakerModel
  package let state: ModelState
  /// Steps done.
  package private(set) var step = 0

  private let communicator: C
  private let gradientStep: GradientStep<C>
  private let exchange: StepExchange<C>
  /// In the exchange's place: the library's all-reduce.
  private let allReduce: AllReduceUpdate<C>?
  private let learningRate: LearningRate

  /// - Parameters:
  ///   - threads: shards that this rank carries through the network at a time.
  ///   - bucketFloats: how much of the gradient is sent at once, at least, while the backward pass goes on.
  package init(
    _ communicator: C, configuration: Configuration, model: SpeakerModel, threads: Int,
    measures: Bool = false, keepsIntervals: Bool = false, bucketFloats: Int = GradientBuckets.leastFloats
  ) throws {
    let train = configuration.train
    self.communicator = communicator
    self.configuration = configuration
    self.model = model
    state = ModelState(layout: model.layout)
    state.initialize(seed: train.seed)
    let count = model.layout.trainedCount
    let buckets =
      train.overlap && train.reduction == .ordered
      ? GradientBuckets(model.layout, leastFloats: bucketFloats) : GradientBuckets(whole: count)
    let ownership = ShardOwnership(shards: train.shards, ranks: communicator.size)
    let usesAllReduce = train.reduction == .mpi
    allReduce =
      usesAllReduce ? AllReduceUpdate(communicator, count: count, weightDecay: train.weightDecay) : nil
    exchange = try StepExchange(
      communicator, ownership: ownership,
      buckets: usesAllReduce
        ? []
        : buckets.ranges.map {
          try BucketExchange(
            communicator, ownership: ownership, range: $0, precision: train.exchange.precision,
            weightDecay: train.weightDecay)
        },
      overlaps: train.overlap && !usesAllReduce)
    gradientStep = GradientStep(
      communicator, model: model, state: state, shape: configuration.batchShape, threads: threads,
      buckets: buckets, precision: train.exchange.precision, exchange: exchange,
      measures: measures, keepsIntervals: keepsIntervals)
    learningRate = LearningRate(
      peak: train.learningRate, warmupSteps: train.warmupSteps, totalSteps: train.totalSteps)
  }

  /// The learning rate of the next step.
  var nextLearningRate: Double { learningRate(step) }

  /// Time by phase: of every worker of the pool, and of the thread that exchanges and updates.
  var clocks: (workers: [PhaseClock], exchange: PhaseClock) {
    (gradientStep.clocks, gradientStep.exchangeClock)
  }

  /// One step: gradients of the global batch, agreement that they are numbers, exchange and update.
  ///
  /// - Parameter isStopping: whether this rank was asked to stop; the outcome says whether any was.
  /// - Throws: the same failure on all ranks, before a parameter was changed; BatchNorm's running statistics may hold
  ///   the batch already.
  package func takeStep(
    from source: any SliceSource, isStopping: Bool = false
  ) throws -> GradientStep<C>.Outcome {
    try KernelSet.flushingDenormals {
      communicator.activity?.note(.computing, step: step + 1)
      let update = ParameterUpdate(
        parameters: state.parameters, updates: step, learningRate: nextLearningRate)
      let outcome = try gradientStep(
        step: step, source: source, dropoutSeed: configuration.train.seed, isStopping: isStopping,
        update: update)
      guard outcome.loss.isFinite else { throw try nonFinite() }
      if let allReduce {
        try allReduce(gradientStep.gradients, update, clock: gradientStep.exchangeClock)
      } else {
        try exchange.finish(roots: gradientStep.gradients.roots, clock: gradientStep.exchangeClock)
      }
      state.batchesTracked += 1
      step += 1
      return outcome
    }
  }

  /// Who found that the loss is not a number, as a failure that all ranks throw.
  private func nonFinite() throws -> Failure {
    let mine = gradientStep.nonFiniteShards.map(String.init).joined(separator: ", ")
    let shards = try communicator.allGather(text: mine)
    let hosts = try communicator.allGather(text: communicator.hostName)
    let places = shards.indices.filter { !shards[$0].isEmpty }.map { rank in
      "rank \(rank) on \(hosts[rank]) (shard \(shards[rank]))"
    }
    let found = places.isEmpty ? "" : ", found by " + places.joined(separator: "; ")
    return Failure(
      .badData,
      "step \(step + 1): the loss is not a finite number\(found); a lower train.learning_rate may help,"
        + " and --resume goes on from the last checkpoint")
  }

  // MARK: The state

  /// Everything a checkpoint needs but the progress, on rank 0; `nil` elsewhere. Collective.
  ///
  /// Plain copies of memory, for another thread to make tensors of.
  package func copy() throws -> TrainerCopy? {
    guard let (moment, variance) = try moments.gather() else { return nil }
    return TrainerCopy(state: state.copy(), optimizer: OptimizerState(moment: moment, variance: variance))
  }

  /// Goes on from a checkpoint, which only rank 0 has. Collective.
  ///
  /// - Throws: bad data, on every rank, when the checkpoint is of another model.
  package func restore(_ checkpoint: Checkpoint?, folder: String) throws {
    let count = model.layout.trainedCount
    var saved = OptimizerState(
      moment: Array(repeating: 0, count: count), variance: Array(repeating: 0, count: count))
    try communicator.agreeing {
      guard let checkpoint else { return }
      try state.load(checkpoint.model, file: "\(folder)/model.safetensors")
      saved = try OptimizerState(
        checkpoint.optimizer, model.layout, file: "\(folder)/optimizer.safetensors")
      step = checkpoint.progress.step
    }
    try broadcastParameters()
    try saved.moment.withUnsafeMutableBytes { try communicator.broadcast($0, root: 0) }
    try saved.variance.withUnsafeMutableBytes { try communicator.broadcast($0, root: 0) }
    try withUnsafeMutableBytes(of: &step) { try communicator.broadcast($0, root: 0) }
    moments.set(saved.moment, saved.variance)
  }

  private var moments: Moments<C> {
    Moments(
      communicator: communicator, count: model.layout.trainedCount,
      optimizers: allReduce.map { [$0.optimizer] } ?? exchange.buckets.map(\.optimizer),
      reductions: exchange.buckets.map(\.reduction))
  }

  /// Gives rank 0's parameters and statistics to all. Collective.
  func broadcastParameters() throws {
    try communicator.broadcast(
      UnsafeMutableRawBufferPointer(start: state.parameters, count: model.layout.count * 4), root: 0)
    try communicator.broadcast(
      UnsafeMutableRawBufferPointer(start: state.statistics, count: model.layout.statisticsCount * 4), root: 0
    )
    try withUnsafeMutableBytes(of: &state.batchesTracked) { try communicator.broadcast($0, root: 0) }
  }
}

/// What a trainer's state was at the end of a step.
package struct TrainerCopy: Sendable {
  let state: ModelState
  let optimizer: OptimizerState

  package func tensors() -> (model: NamedTensors, optimizer: NamedTensors) {
    (state.stateDict(), optimizer.tensors(state.layout))
  }
}

extension Configuration {
  /// The global batch: `shards` equal slices.
  package var batchShape: BatchShape {
    BatchShape(
      samplesPerShard: train.batchSize / train.shards, frames: train.segmentLength, shards: train.shards)
  }
}

extension TrainConfiguration.Exchange {
  /// What the nodes of the gradient's tree are rounded to, so that they lose nothing on the wire.
  var precision: NodePrecision {
    switch self {
    case .f32: .float32
    case .bf16: .bfloat16
    }
  }
}
