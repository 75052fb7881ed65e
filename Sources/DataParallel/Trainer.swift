import Collectives
import Diagnostics
import SpeakerNet
import TensorCore

/// What a training is told, beside its network: all that its bits depend on, and how it is carried out.
package struct TrainerSettings: Sendable {
  /// The global batch.
  package var batch: BatchShape
  /// What dropout and the initial parameters are drawn from.
  package var seed: UInt64
  package var learningRate: LearningRate
  package var exchange: ExchangeSettings

  package init(batch: BatchShape, seed: UInt64, learningRate: LearningRate, exchange: ExchangeSettings) {
    self.batch = batch
    self.seed = seed
    self.learningRate = learningRate
    self.exchange = exchange
  }
}

/// One training on one rank: the state that a step changes, and the step.
///
/// The state is (steps done, parameters, running statistics, moments); everything random is a function of the step,
/// so a training goes on from its state bit for bit, on any number of ranks and threads.
package final class Trainer<C: Communicator> {
  package let model: SpeakerModel
  package let state: ModelState
  /// Steps done.
  package private(set) var step = 0

  package let communicator: C
  private let settings: TrainerSettings
  private let gradientStep: GradientStep<C>

  /// A training that begins with drawn parameters.
  ///
  /// - Parameter threads: slices that this rank carries through the network at a time.
  package init(
    _ communicator: C, model: SpeakerModel, settings: TrainerSettings, threads: Int
  ) throws {
    self.communicator = communicator
    self.model = model
    self.settings = settings
    state = ModelState(layout: model.layout)
    state.initialize(seed: settings.seed)
    gradientStep = try GradientStep(
      communicator, model: model, state: state, batch: settings.batch, threads: threads,
      exchange: settings.exchange)
  }

  /// The learning rate of the next step.
  package var nextLearningRate: Double { settings.learningRate(step) }

  /// One step: gradients of the global batch, agreement that they are numbers, exchange and update.
  ///
  /// - Parameter isStopping: whether this rank was asked to stop; the outcome says whether any was.
  /// - Throws: the same error on all ranks (a `Failure`, or ``NonFiniteLoss``), before a parameter was changed;
  ///   BatchNorm's running statistics may hold the batch already.
  package func takeStep(from source: any SliceSource, isStopping: Bool = false) throws -> StepOutcome {
    try KernelSet.flushingDenormals {
      communicator.activity?.note(.computing, step: step + 1)
      gradientStep.begin(
        step, source: source, dropoutSeed: settings.seed, isStopping: isStopping,
        update: ParameterUpdate(
          parameters: state.parameters, updates: step, learningRate: nextLearningRate))
      gradientStep.runSlices()
      let outcome = try gradientStep.agree()
      guard outcome.isSound else { throw try gradientStep.refuse() }
      try gradientStep.finish()
      state.batchesTracked += 1
      step += 1
      return outcome
    }
  }

  // MARK: The state

  /// The state at the end of a step, in memory of its own, on rank 0; `nil` elsewhere. Collective.
  package func copy() throws -> TrainerState? {
    guard let moments = try gradientStep.exchange.gatherMoments() else { return nil }
    return TrainerState(step: step, model: state.copy(), moments: moments)
  }

  /// Goes on from a state, which only rank 0 has: other ranks give `nil`. Collective.
  package func restore(_ saved: TrainerState?) throws {
    var moments = saved?.moments ?? Moments(zeros: model.layout.trainedCount)
    if let saved {
      state.update(from: saved.model)
      step = saved.step
    }
    try broadcast(state.parameters, count: model.layout.count)
    try broadcast(state.statistics, count: model.layout.statisticsCount)
    try withUnsafeMutableBytes(of: &state.batchesTracked) { try communicator.broadcast($0, root: 0) }
    try moments.moment.withUnsafeMutableBytes { try communicator.broadcast($0, root: 0) }
    try moments.variance.withUnsafeMutableBytes { try communicator.broadcast($0, root: 0) }
    try withUnsafeMutableBytes(of: &step) { try communicator.broadcast($0, root: 0) }
    gradientStep.exchange.set(moments)
  }

  private func broadcast(_ values: UnsafeMutablePointer<Float>, count: Int) throws {
    try communicator.broadcast(
      UnsafeMutableRawBufferPointer(start: values, count: count * MemoryLayout<Float>.stride), root: 0)
  }

  // MARK: Measuring

  /// Measures the time of each phase from now on, from zero; between two steps.
  package func startClocks(keepsIntervals: Bool = false) {
    gradientStep.startClocks(keepsIntervals: keepsIntervals)
  }

  /// Time by phase: of every worker, and of the thread that calls ``takeStep(from:isStopping:)``.
  package var clocks: (workers: [PhaseClock], exchange: PhaseClock) {
    (gradientStep.workerClocks, gradientStep.clock)
  }
}

/// What a training goes on from.
package struct TrainerState: Sendable {
  /// Steps done.
  package let step: Int
  /// Parameters and running statistics.
  package let model: ModelState
  package let moments: Moments

  package init(step: Int, model: ModelState, moments: Moments) {
    self.step = step
    self.model = model
    self.moments = moments
  }
}
