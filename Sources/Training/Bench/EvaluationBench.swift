import Collectives
import Diagnostics
import SpeakerNet
import TensorFiles

/// Measures validation on segments, or the prediction of whole test utterances one at a time, with the weights that
/// a run starts from: each round is one or more of the passes that `train` and `predict` make.
struct EvaluationBench<C: Communicator> {
  private static var rounds: Int { 9 }

  let setup: BenchSetup<C>
  let seconds: Double
  private var group: C { setup.group }
  private var quiet: Console { Console(talks: false) }

  /// Segments of the validation split a second. Collective.
  func validate() throws -> RateFigures {
    try setup.prepareData()
    let train = setup.configuration.train
    let validator = Validator(
      communicator: group, model: setup.model, data: setup.data, unit: .segments(frames: train.segmentLength),
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
      communicator: group, model: setup.model, state: state, corpus: setup.data.corpus,
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
    _ = try group.seconds(pass)
    let pace = try group.seconds(pass)
    let passes = max(1, Int(seconds / Double(Self.rounds) / pace))
    var rates = Rounds()
    for _ in 0..<Self.rounds {
      let taken = try group.seconds { for _ in 0..<passes { try pass() } }
      rates.add(Double(count * passes) / taken)
    }
    return try RateFigures(setup, unit: unit, rates: rates, memory: ProcessMemory.peakWithoutCorpus)
  }
}
