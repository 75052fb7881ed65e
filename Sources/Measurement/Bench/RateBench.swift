import Collectives
import DataParallel
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

/// Measures the data path alone: random crops copied from the mapped shards into slices, or decoded and augmented, as a
/// step has them; and a step beside it, for how many ranks a core can so feed.
struct DataBench<C: Communicator> {
  private static var rounds: Int { 9 }

  let setup: BenchSetup<C>
  let seconds: Double

  /// Segments a second. Collective.
  func measure() throws -> DataFigures {
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
    let demand = try demand()
    let figures = try RateFigures(
      setup, unit: "segments", rates: rates, memory: ProcessMemory.peakWithoutCorpus)
    return DataFigures(rate: figures, demand: demand)
  }

  /// Segments that a rank takes a second, whatever is in them. Collective.
  private func demand() throws -> Double {
    let shape = setup.configuration.batchShape
    let trainer = try Trainer(
      setup.communicator, configuration: setup.configuration, model: setup.model, threads: setup.threads)
    let source = NoiseSlices(shape: shape, speakers: setup.model.speakers, bands: setup.data.corpus.bands)
    func time(_ steps: Int) throws -> Double {
      try setup.communicator.seconds { for _ in 0..<steps { _ = try trainer.takeStep(from: source) } }
    }
    _ = try time(2)
    let steps = max(3, Int(0.2 * seconds / (try time(1))))
    return Double(shape.samples * steps) / (try time(steps)) / Double(setup.communicator.size)
  }
}

/// What `bench data` found.
struct DataFigures: Sendable {
  let rate: RateFigures
  /// Segments that a rank takes a second.
  let demand: Double

  /// Segments that a core makes a second.
  private var perCore: Double { rate.rates.median / Double(rate.ranks * rate.threads) }

  /// Ranks that one core can make segments for.
  private var ranksPerCore: Double { perCore / demand }

  var json: JSON {
    var members = rate.json.object ?? JSONObject()
    members["segments_per_s_per_core"] = .number(perCore)
    members["segments_per_s_of_a_rank"] = .number(demand)
    members["ranks_per_core"] = .number(ranksPerCore)
    return .object(members)
  }

  /// The same for a person.
  func text(_ what: String) -> String {
    rate.text(what)
      + String(
        format: "; a core makes %.0f a second, a rank takes %.0f: one core feeds %.1f ranks", perCore, demand,
        ranksPerCore)
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
