import Collectives
import Diagnostics
import Foundation
import SpeakerNet
import SpeechData
import TensorCore
import TensorFiles
import Training

/// Measures validation on segments, or the prediction of whole test utterances one at a time, with the weights that
/// a run starts from: each round is one or more of the passes that `train` and `predict` make.
struct EvaluationBench<C: Communicator> {
  private static var rounds: Int { 9 }

  let setup: BenchSetup<C>
  let seconds: Double
  private var communicator: C { setup.communicator }
  private var quiet: Console { Console(talks: false) }

  /// Segments of the validation split a second. Collective.
  func validate() throws -> RateFigures {
    try setup.prepareData()
    let train = setup.configuration.train
    let validator = Validator(
      communicator: communicator, model: setup.model, data: setup.data,
      unit: .segments(frames: train.segmentLength),
      seed: train.seed, team: EvaluationTeam(threads: setup.threads))
    let state = state
    let count = setup.data.split.validation.count
    return try rounds(of: count, unit: "utterances") { _ = try validator(state, console: quiet) }
  }

  /// Whole test utterances a second, read and verified as `predict` reads them. Collective.
  func infer() throws -> RateFigures {
    guard let tests = setup.data.corpus.tests, !tests.isEmpty else {
      throw Failure(
        .missingInput, "\(setup.data.corpus.directory): there are no test utterances, so nothing to predict")
    }
    let predictor = Predictor(
      communicator: communicator, model: setup.model, state: state, corpus: setup.data.corpus,
      team: EvaluationTeam(threads: setup.threads))
    return try rounds(of: tests.count, unit: "utterances") {
      _ = try predictor(threads: setup.threads, console: quiet)
    }
  }

  private var state: ModelState {
    let state = ModelState(layout: setup.model.layout)
    state.initialize(seed: setup.configuration.train.seed)
    return state
  }

  private func rounds(of count: Int, unit: String, _ pass: () throws -> Void) throws -> RateFigures {
    _ = try communicator.seconds(pass)
    let pace = try communicator.seconds(pass)
    let passes = max(1, Int(seconds / Double(Self.rounds) / pace))
    var rates = Rounds()
    for _ in 0..<Self.rounds {
      let taken = try communicator.seconds { for _ in 0..<passes { try pass() } }
      rates.add(Double(count * passes) / taken)
    }
    return try RateFigures(setup, unit: unit, rates: rates, memory: ProcessMemory.peakWithoutCorpus)
  }
}

/// Measures the data path alone: random crops copied from the mapped shards into slices, as a step has them.
struct DataBench<C: Communicator> {
  private static var rounds: Int { 9 }

  let setup: BenchSetup<C>
  let seconds: Double

  /// Segments a second. Collective.
  func measure() throws -> RateFigures {
    let slices = try setup.slices()
    let shape = setup.configuration.batchShape
    let localShards = setup.localShards
    let team = ThreadTeam(workers: setup.threads, seats: setup.threads)
    let arenas = (0..<setup.threads).map { _ in Arena() }
    var failure: (any Error)?

    /// The slices of this rank for some steps, each on whichever thread is free.
    func fill(steps: Range<Int>) throws {
      team.forEach(localShards.count) { item, worker in
        let arena = arenas[worker]
        arena.reset()
        let mels = arena.floats(shape.samplesPerShard * shape.frames * setup.data.corpus.bands)
        let labels = arena.integers(shape.samplesPerShard)
        do {
          for step in steps {
            try slices.fill(shard: localShards.lowerBound + item, step: step, mels: mels, labels: labels)
          }
        } catch { team.withLock { failure = error } }
      }
      try setup.communicator.agreeing { if let failure { throw failure } }
    }

    let pace = try setup.communicator.seconds { try fill(steps: 0..<16) } / 16
    let steps = max(1, Int(seconds / Double(Self.rounds) / pace))
    var rates = Rounds()
    for round in 0..<Self.rounds {
      let range = round * steps..<(round + 1) * steps
      rates.add(Double(steps * shape.samples) / (try setup.communicator.seconds { try fill(steps: range) }))
    }
    return try RateFigures(setup, unit: "segments", rates: rates, memory: ProcessMemory.peakWithoutCorpus)
  }
}

/// What a measurement found that is one rate.
struct RateFigures: Sendable {
  let recipe: String
  let ranks: Int
  let threads: Int
  /// What is counted: `utterances`.
  let unit: String
  let rates: Rounds
  /// MiB of the largest rank.
  let peakMemory: Double

  /// Collective.
  init<C: Communicator>(_ setup: BenchSetup<C>, unit: String, rates: Rounds, memory: Double) throws {
    recipe = setup.recipe
    ranks = setup.communicator.size
    threads = setup.threads
    self.unit = unit
    self.rates = rates
    peakMemory = Double(try setup.communicator.allGather(Int(memory * 1024)).max() ?? 0) / 1024
  }

  /// `utterances_per_s` and what it was measured with.
  var json: JSON {
    [
      "recipe": .string(recipe), "ranks": .integer(ranks), "threads": .integer(threads),
      "\(unit)_per_s": .number(rates.median),
      "\(unit)_per_s_spread": [.number(rates.spread.lowerBound), .number(rates.spread.upperBound)],
      "peak_rss_mib": .number(peakMemory),
    ]
  }

  /// The same for a person.
  func text(_ what: String) -> String {
    String(
      format: "%@: %.1f %@/s %@ (%.1f to %.1f by round), %d x %d threads, %.1f MiB at most in a rank", recipe,
      rates.median, unit, what, rates.spread.lowerBound, rates.spread.upperBound, ranks, threads, peakMemory)
  }
}
