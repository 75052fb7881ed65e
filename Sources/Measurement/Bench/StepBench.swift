import Collectives
import DataParallel
import Foundation
import SpeakerNet
import SpeechData
import TensorCore
import TensorFiles
import Training

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
  private var communicator: C { setup.communicator }

  /// Collective.
  func measure() throws -> StepFigures {
    let slices = try setup.source()
    let (trainer, pace) = try warmTrainer(slices)
    // Here every page that a step needs is in place, and nothing else is.
    let memory = try largest(ProcessMemory.peakWithoutCorpus)
    let memoryWithCorpus = try largest(ProcessMemory.peak)

    let work = sliceWork
    let peak = ProductPeak(work, threads: min(setup.threads, setup.configuration.train.shards))
    try peak.warmUp(communicator, roundSeconds: 0.25 * seconds / Double(Self.rounds))
    let steps = max(1, Int(0.55 * seconds / Double(Self.rounds) / pace))
    var stepsPerSecond = Rounds(), productPeak = Rounds()
    for _ in 0..<Self.rounds {
      stepsPerSecond.add(Double(steps) / (try time(steps, trainer, slices)))
      productPeak.add(try peak.round(communicator))
    }
    return StepFigures(
      recipe: setup.recipe, ranks: communicator.size, threads: setup.threads,
      shards: setup.configuration.train.shards,
      batchSize: setup.configuration.train.batchSize, kernels: KernelSet.name, stepsPerSecond: stepsPerSecond,
      gflopPerStep: Double(work.operations * setup.configuration.train.shards) * 1e-9,
      productPeak: productPeak,
      peakMemory: memory, peakMemoryWithCorpus: memoryWithCorpus,
      breakdown: try breakdown(slices, stepSeconds: 1 / stepsPerSecond.median))
  }

  /// The intervals of some steps, of all ranks, on rank 0; `nil` elsewhere. Collective.
  func trace() throws -> ChromeTrace? {
    let slices = try setup.source()
    let (trainer, _) = try warmTrainer(slices)
    trainer.startClocks(keepsIntervals: true)
    try communicator.barrier()
    let origin = monotonicNanoseconds()
    var starts: [UInt64] = []
    for _ in 0..<Self.tracedSteps {
      starts.append(monotonicNanoseconds())
      _ = try trainer.takeStep(from: slices)
    }
    starts.append(monotonicNanoseconds())
    return try ChromeTrace(communicator, clocks: trainer.clocks, stepStarts: starts, origin: origin)
  }

  private func breakdown(_ slices: any SliceSource, stepSeconds: Double) throws -> PhaseBreakdown {
    let (trainer, pace) = try warmTrainer(slices)
    trainer.startClocks()
    let steps = max(1, Int(0.2 * seconds / pace))
    let taken = try time(steps, trainer, slices)
    return try PhaseBreakdown(
      communicator, clocks: trainer.clocks, threads: setup.threads, runSeconds: taken,
      stepSeconds: stepSeconds)
  }

  /// A trainer that has made its first steps, and the seconds that a step takes it.
  private func warmTrainer(_ slices: any SliceSource) throws -> (Trainer<C>, pace: Double) {
    let trainer = try Trainer(
      communicator, configuration: setup.configuration, model: setup.model, threads: setup.threads)
    _ = try time(2, trainer, slices)
    let pace = try time(1, trainer, slices)
    let steps = Int(0.05 * seconds / pace)
    guard steps > 0 else { return (trainer, pace) }
    return (trainer, try time(steps, trainer, slices) / Double(steps))
  }

  private func time(_ steps: Int, _ trainer: Trainer<C>, _ slices: any SliceSource) throws -> Double {
    try communicator.seconds { for _ in 0..<steps { _ = try trainer.takeStep(from: slices) } }
  }

  /// The work of one shard's slice.
  private var sliceWork: Work {
    let shape = setup.configuration.batchShape
    return setup.model.work(samples: shape.samplesPerShard, frames: shape.frames)
  }

  private func largest(_ mebibytes: Double) throws -> Double {
    Double(try communicator.allGather(Int(mebibytes * 1024)).max() ?? 0) / 1024
  }
}

/// What `bench step` found.
struct StepFigures: Sendable {
  let recipe: String
  let ranks: Int
  /// Threads of each rank.
  let threads: Int
  let shards: Int
  let batchSize: Int
  let kernels: String
  /// Steps a second, by round.
  let stepsPerSecond: Rounds
  /// Matrix work of a step, as the layers count it (``Work``).
  let gflopPerStep: Double
  /// GFLOP/s on the step's products alone, by round.
  let productPeak: Rounds
  /// MiB of the largest rank, the mapped corpus apart and with it.
  let peakMemory: Double, peakMemoryWithCorpus: Double
  let breakdown: PhaseBreakdown

  private var stepSeconds: Double { 1 / stepsPerSecond.median }
  private var gflopPerSecond: Double { gflopPerStep * stepsPerSecond.median }

  /// The JSON object of `bench step --json`.
  var json: JSON {
    let spread = stepsPerSecond.spread
    return [
      "recipe": .string(recipe), "ranks": .integer(ranks), "threads": .integer(threads),
      "steps_per_s": .number(stepsPerSecond.median),
      "steps_per_s_spread": [.number(spread.lowerBound), .number(spread.upperBound)],
      "gflop_per_step": .number(gflopPerStep), "gflop_per_s": .number(gflopPerSecond),
      "gemm_peak_gflop_per_s": .number(productPeak.median),
      "peak_rss_mib": .number(peakMemory), "peak_rss_with_data_mib": .number(peakMemoryWithCorpus),
      "seconds_compute": .number(stepSeconds - breakdown.communication),
      "seconds_communication": .number(breakdown.communication),
      "phases": .object(JSONObject(breakdown.entries.map { ($0.name, .number($0.seconds)) })),
      "shards": .integer(shards), "batch_size": .integer(batchSize), "kernels": .string(kernels),
    ]
  }

  /// The same for a person.
  var text: String {
    let spread = stepsPerSecond.spread
    var lines = [
      "\(recipe): \(counted(ranks, "rank", "ranks")), \(counted(threads, "thread", "threads")) each,"
        + " batch \(batchSize) in \(counted(shards, "shard", "shards")), \(kernels)",
      String(
        format:
          "%.2f steps/s (%.2f to %.2f by round), %.1f GFLOP/s of %.1f that the products alone reach (%.0f %%)",
        stepsPerSecond.median, spread.lowerBound, spread.upperBound, gflopPerSecond, productPeak.median,
        100 * gflopPerSecond / productPeak.median),
      String(
        format: "%.2f GFLOP a step; %.1f MiB at most in a rank (%.1f with the mapped data)", gflopPerStep,
        peakMemory, peakMemoryWithCorpus),
      "", "Where a step's time goes, the mean of all threads:",
    ]
    for (name, seconds) in breakdown.entries where seconds > 0 {
      lines.append(
        "  " + name.padding(toLength: 14, withPad: " ", startingAt: 0)
          + String(format: "%9.3f ms %6.1f %%", seconds * 1e3, 100 * seconds / stepSeconds))
    }
    lines.append(
      "  " + "step".padding(toLength: 14, withPad: " ", startingAt: 0)
        + String(format: "%9.3f ms", stepSeconds * 1e3))
    return lines.joined(separator: "\n")
  }
}

/// `1 rank`, `2 ranks`.
private func counted(_ count: Int, _ one: String, _ many: String) -> String {
  "\(count) \(count == 1 ? one : many)"
}

/// Where the threads of all ranks spend a step.
///
/// The whole is every thread's time, `ranks × threads × step`; a phase's share of it is given as seconds of a step,
/// so that the phases add up to the step.
struct PhaseBreakdown: Sendable {
  /// Seconds of a step by phase. `other` is work that no phase claims.
  private(set) var seconds: [Double]
  /// Seconds of a step in which a thread had nothing to do: waiting for another thread or, outside an exchange, for
  /// another rank.
  let idle: Double
  /// Seconds of a step in which a rank exchanges with others, the waiting for them included.
  let communication: Double

  /// Adds up the clocks of all ranks. Collective.
  ///
  /// - Parameters:
  ///   - clocks: of a run of steps on this rank: one for each slice under way, and the exchanging thread's.
  ///   - runSeconds: how long that run took.
  ///   - stepSeconds: what a step takes without clocks, to which the shares are applied.
  init<C: Communicator>(
    _ communicator: C, clocks: (workers: [PhaseClock], exchange: PhaseClock), threads: Int,
    runSeconds: Double,
    stepSeconds: Double
  ) throws {
    let phases = Phase.allCases.count
    var mine = [UInt64](repeating: 0, count: phases + 2)  // phases, busy, communication
    for clock in clocks.workers {
      for phase in 0..<phases { mine[phase] += clock.totals[phase] }
      mine[phases] += clock.busy
    }
    for phase in 0..<phases {
      mine[phase] += clocks.exchange.totals[phase]
      mine[phases] += clocks.exchange.totals[phase]
    }
    let exchanged = clocks.workers.reduce(0) { $0 + $1.totals[Phase.exchange.rawValue] }
    mine[phases + 1] = exchanged / UInt64(threads) + clocks.exchange.totals[Phase.exchange.rawValue]

    let sums = try Self.sum(mine, communicator)
    let whole = Double(communicator.size * threads) * runSeconds * 1e9
    var seconds = (0..<phases).map { Double(sums[$0]) / whole * stepSeconds }
    let busy = Double(sums[phases]) / whole * stepSeconds
    seconds[Phase.other.rawValue] = max(0, busy - seconds.reduce(0, +) + seconds[Phase.other.rawValue])
    self.seconds = seconds
    idle = stepSeconds - seconds.reduce(0, +)
    communication = Double(sums[phases + 1]) / (Double(communicator.size) * runSeconds * 1e9) * stepSeconds
  }

  /// Names and seconds of a step, `idle` last.
  var entries: [(name: String, seconds: Double)] {
    Phase.allCases.map { (String(describing: $0), seconds[$0.rawValue]) } + [("idle", idle)]
  }

  private static func sum<C: Communicator>(_ mine: [UInt64], _ communicator: C) throws -> [UInt64] {
    try mine.map { try communicator.allGather($0).reduce(0, +) }
  }
}
