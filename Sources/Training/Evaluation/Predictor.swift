import Audio
import Collectives
import Diagnostics
import SpeakerNet
import SpeechData
import TensorCore

/// The logits or the embeddings of whole utterances, shared out over the ranks.
///
/// Each utterance goes through the network alone, at its full length: its bits then depend on nothing else, and a
/// few hundred frames are enough to keep the products busy.
package struct Predictor<C: Communicator> {
  /// Which utterances.
  package enum Part: Sendable {
    /// Those that are there to be predicted.
    case tests
    /// Those that are there to be trained and validated on.
    case all
  }

  let communicator: C
  let model: SpeakerModel
  let state: ModelState
  let corpus: Corpus
  let part: Part
  let output: NetworkOutput
  /// What is taken off what the network sees.
  let normalization: FeatureSettings.MeanNormalization
  let team: EvaluationTeam

  package init(
    communicator: C, model: SpeakerModel, state: ModelState, corpus: Corpus, part: Part = .tests,
    output: NetworkOutput = .logits, normalization: FeatureSettings.MeanNormalization = .none,
    team: EvaluationTeam
  ) {
    self.communicator = communicator
    self.model = model
    self.state = state
    self.corpus = corpus
    self.part = part
    self.output = output
    self.normalization = normalization
    self.team = team
  }

  /// The rows of every utterance, [utterances, speakers or width of an embedding], on rank 0; `nil` elsewhere. Collective.
  package func callAsFunction(threads: Int, console: Console) throws -> [Float]? {
    guard let tests = part == .all ? corpus.utterances : corpus.tests else {
      throw Failure(.missingInput, "\(corpus.directory): there is no testdata.json, so nothing to predict")
    }
    let ranges = (0..<communicator.size).map { rank in
      tests.count * rank / communicator.size..<tests.count * (rank + 1) / communicator.size
    }
    let mine = ranges[communicator.rank], width = output.width(model)
    var rows = [Float](repeating: 0, count: mine.count * width)
    try console.progress(output.verb, unit: "uttr", total: tests.count) { bar in
      var finished = 0
      try communicator.agreeing {
        switch part {
        case .tests: try corpus.prepareTests(mine, threads: threads) { _, _ in }
        case .all: try corpus.prepare(Array(mine), threads: threads) { _, _ in }
        }
        try rows.withUnsafeMutableBufferPointer { rows in
          try team.forEach(
            mine.count,
            done: {
              finished += 1
              bar.reach(tests.count * finished / max(1, mine.count))
            }
          ) { item, workspace in
            try see(mine.lowerBound + item, tests, workspace, into: rows.baseAddress! + item * width)
          }
        }
      }
      bar.reach(tests.count)
    }
    return try rows.withUnsafeBufferPointer {
      try communicator.gather($0, counts: ranges.map { $0.count * width })
    }
  }

  private func see(
    _ utterance: Int, _ tests: [Utterance], _ workspace: Workspace, into row: UnsafeMutablePointer<Float>
  ) throws {
    let frames = tests[utterance].frames
    var pass = Pass(
      samples: 1, frames: frames, globalSamples: 1, mode: .evaluation, state: state, gradients: nil,
      workspace: workspace)
    let mels = pass.matrix(frames, model.bands)
    switch part {
    case .tests: try corpus.copyTestFrames(of: utterance, from: 0, count: frames, into: mels.base)
    case .all: try corpus.copyFrames(of: utterance, from: 0, count: frames, into: mels.base)
    }
    normalization.apply(to: mels.base, frames: frames, bands: model.bands)
    row.update(from: output(model, mels, &pass).base, count: output.width(model))
  }
}
