import Collectives
import SpeechData
import TensorCore

/// Measures training steps on the real path: crops read from mapped shards, forward, backward, exchange, update.
///
/// Three runs: steps with the clocks off, in rounds that take turns with rounds of the products alone, so that both
/// see the same machine; a shorter run with the clocks on, for the breakdown; and for a trace, ten steps that keep
/// every interval.
struct StepBench<C: Communicator> {
  private static var rounds: Int { 9 }
  private static var tracedSteps: Int { 10 }

  let setup: BenchSetup<C>
  /// How long to measure, warm-up apart.
  let seconds: Double
  private var group: C { setup.group }

  /// Collective.
  func measure() throws -> StepFigures {
    let slices = try setup.slices()
    let (trainer, pace) = try warmTrainer(slices)
    // Here every page that a step needs is in place, and nothing else is.
    let memory = try largest(ProcessMemory.peakWithoutCorpus)
    let memoryWithCorpus = try largest(ProcessMemory.peak)

    let work = stepWork
    let peak = ProductPeak(work, threads: min(setup.threads, setup.configuration.train.shards))
    try peak.warmUp(group, roundSeconds: 0.25 * seconds / Double(Self.rounds))
    let steps = max(1, Int(0.55 * seconds / Double(Self.rounds) / pace))
    var stepsPerSecond = Rounds(), productPeak = Rounds()
    for _ in 0..<Self.rounds {
      stepsPerSecond.add(Double(steps) / (try time(steps, trainer, slices)))
      productPeak.add(try peak.round(group))
    }
    return StepFigures(
      recipe: setup.recipe, ranks: group.size, threads: setup.threads,
      shards: setup.configuration.train.shards,
      batchSize: setup.configuration.train.batchSize, kernels: KernelSet.name, stepsPerSecond: stepsPerSecond,
      gflopPerStep: Double(work.operations * setup.configuration.train.shards) * 1e-9,
      productPeak: productPeak,
      peakMemory: memory, peakMemoryWithCorpus: memoryWithCorpus,
      breakdown: try breakdown(slices, stepSeconds: 1 / stepsPerSecond.median))
  }

  /// The intervals of some steps, of all ranks, on rank 0; `nil` elsewhere. Collective.
  func trace() throws -> ChromeTrace? {
    let slices = try setup.slices()
    let (trainer, _) = try warmTrainer(slices, measures: true, keepsIntervals: true)
    forget(trainer)
    try group.barrier()
    let origin = monotonicNanoseconds()
    var starts: [UInt64] = []
    for _ in 0..<Self.tracedSteps {
      starts.append(monotonicNanoseconds())
      _ = try trainer.takeStep(from: slices)
    }
    starts.append(monotonicNanoseconds())
    return try ChromeTrace(group, clocks: trainer.clocks, stepStarts: starts, origin: origin)
  }

  private func breakdown(_ slices: TrainingSlices, stepSeconds: Double) throws -> PhaseBreakdown {
    let (trainer, pace) = try warmTrainer(slices, measures: true)
    forget(trainer)
    let steps = max(1, Int(0.2 * seconds / pace))
    let taken = try time(steps, trainer, slices)
    return try PhaseBreakdown(
      group, clocks: trainer.clocks, threads: setup.threads, runSeconds: taken, stepSeconds: stepSeconds)
  }

  /// A trainer that has made its first steps, and the seconds that a step takes it.
  private func warmTrainer(
    _ slices: TrainingSlices, measures: Bool = false, keepsIntervals: Bool = false
  ) throws -> (Trainer<C>, pace: Double) {
    let trainer = try Trainer(
      group, configuration: setup.configuration, model: setup.model, threads: setup.threads,
      measures: measures,
      keepsIntervals: keepsIntervals)
    _ = try time(2, trainer, slices)
    let pace = try time(1, trainer, slices)
    let steps = Int(0.05 * seconds / pace)
    guard steps > 0 else { return (trainer, pace) }
    return (trainer, try time(steps, trainer, slices) / Double(steps))
  }

  private func time(_ steps: Int, _ trainer: Trainer<C>, _ slices: TrainingSlices) throws -> Double {
    try group.seconds { for _ in 0..<steps { _ = try trainer.takeStep(from: slices) } }
  }

  private func forget(_ trainer: Trainer<C>) {
    for clock in trainer.clocks.workers { clock.reset() }
    trainer.clocks.exchange.reset()
  }

  /// The work of one shard's slice.
  private var stepWork: StepWork {
    let shape = setup.configuration.batchShape
    return StepWork(
      setup.model.configuration, speakers: setup.model.speakers, samples: shape.samplesPerShard,
      frames: shape.frames, oneByOne: setup.model.takesSamplesOneByOne)
  }

  private func largest(_ mebibytes: Double) throws -> Double {
    Double(try group.allGather(Int(mebibytes * 1024)).max() ?? 0) / 1024
  }
}
