import Collectives
import SpeakerNet
import SpeechData
import Synchronization
import TensorCore

/// Accuracy and loss on the validation split, shared out over the ranks.
///
/// A rank evaluates the utterances of its own shards, in batches that depend on the shards alone; the results of
/// all are put into the notebook's order and summed there, so the figures do not depend on the number of ranks.
/// Segments are cropped by the seed, the same ones at every validation (the notebook draws new ones each time,
/// which makes its figure noisy), and every utterance counts, the last batch's too.
struct Validator<C: Communicator> {
  /// What is judged.
  enum Unit: Equatable, Sendable {
    /// One segment of that many frames from each utterance.
    case segments(frames: Int)
    /// Whole utterances, one at a time.
    case wholeUtterances
  }

  /// The mean over the split.
  struct Result: Equatable, Sendable {
    let loss: Double
    let accuracy: Double
    let utterances: Int
  }

  /// Segments that go through the network together.
  private static var batch: Int { 4 }

  let communicator: C
  let model: SpeakerModel
  let data: TrainingData
  let unit: Unit
  let seed: UInt64
  let team: EvaluationTeam

  /// What a validation utterance came to: its loss, and 1 if it was recognised, else 0.
  private typealias Outcome = (loss: Float, correct: Int32)

  /// Evaluates the state's parameters, to the end. Collective.
  func callAsFunction(_ state: ModelState, console: Console) throws -> Result {
    try self(state, console: console, unless: { false })!
  }

  /// Evaluates the state's parameters. Collective.
  ///
  /// - Parameter isStopping: asked before each batch; when it is true on any rank, all of them give up.
  /// - Returns: `nil` if it was given up.
  func callAsFunction(
    _ state: ModelState, console: Console, unless isStopping: @Sendable () -> Bool
  ) throws -> Result? {
    let total = data.split.validation.count
    let ownership = ShardOwnership(shards: data.shards, ranks: communicator.size)
    let run = ownership.shards(of: communicator.rank)
    let work = run.flatMap { batches(of: data.validation[$0]) }
    let mine = run.flatMap { data.validation[$0] }
    var place = [Int](repeating: 0, count: total)
    for (index, position) in mine.enumerated() { place[position] = index }
    var outcomes = [Outcome](repeating: (0, 0), count: mine.count)

    return try console.progress("Valid", unit: "uttr", total: total) { bar in
      var finished = 0
      let isStopped = Atomic(false)
      let result: Result? = try outcomes.withUnsafeMutableBufferPointer { outcomes in
        try communicator.agreeing {
          try team.forEach(
            work.count,
            done: {
              // What this rank has done stands for all: they have equal shares.
              finished += 1
              communicator.activity?.advance()
              bar.reach(total * finished / max(1, work.count))
            }
          ) { item, workspace in
            if isStopping() { isStopped.store(true, ordering: .relaxed) }
            guard !isStopped.load(ordering: .relaxed) else { return }
            try evaluate(work[item], state, workspace) { position, outcome in
              outcomes[place[position]] = outcome
            }
          }
        }
        let stops = try communicator.allGather(isStopped.load(ordering: .relaxed) ? 1 : 0)
        return try stops.contains(1) ? nil : collect(UnsafeRawBufferPointer(outcomes), ownership)
      }
      guard let result else {
        bar.abandon()
        return nil
      }
      bar.reach(total)
      bar.finish(["accuracy": .fixed(result.accuracy, digits: 2), "loss": .fixed(result.loss, digits: 2)])
      return result
    }
  }

  private func batches(of positions: [Int]) -> [ArraySlice<Int>] {
    let size = unit == .wholeUtterances ? 1 : Self.batch
    return stride(from: 0, to: positions.count, by: size).map {
      positions[$0..<min(positions.count, $0 + size)]
    }
  }

  private func evaluate(
    _ positions: ArraySlice<Int>, _ state: ModelState, _ workspace: Workspace,
    _ store: (Int, Outcome) -> Void
  ) throws {
    let utterances = positions.map { data.split.validation[$0] }
    let frames =
      switch unit {
      case .segments(let frames): frames
      case .wholeUtterances: data.corpus.utterances[utterances[0]].frames
      }
    var pass = Pass(
      samples: utterances.count, frames: frames, globalSamples: utterances.count, mode: .evaluation,
      state: state,
      gradients: nil, workspace: workspace)
    let mels = pass.matrix(pass.rows, SpeakerModel.melBands)
    let reader = SegmentReader(corpus: data.corpus, length: frames)
    for (sample, utterance) in utterances.enumerated() {
      try reader.copySegment(
        of: utterance, Crop.validation(seed: seed, utterance: utterance),
        into: mels.base + sample * frames * SpeakerModel.melBands)
    }
    let logits_BC = model.logits(mels, &pass)
    for (sample, position) in positions.enumerated() {
      let label = data.corpus.utterances[utterances[sample]].label
      let result = model.loss(ofRow: sample, of: logits_BC, label: label, pass)
      store(position, (Float(result.loss), Int32(result.correct)))
    }
  }

  /// Every rank's outcomes, put into the split's order and averaged.
  private func collect(_ mine: UnsafeRawBufferPointer, _ ownership: ShardOwnership) throws -> Result {
    let positions = (0..<communicator.size).map { rank in
      ownership.shards(of: rank).flatMap { data.validation[$0] }
    }
    let counts = positions.map { $0.count * MemoryLayout<Outcome>.stride }
    let total = data.split.validation.count
    var gathered = [Outcome](repeating: (0, 0), count: total)
    try gathered.withUnsafeMutableBytes { try communicator.allGather(mine, into: $0, counts: counts) }
    var ordered = gathered
    for (index, position) in positions.joined().enumerated() { ordered[position] = gathered[index] }
    var loss = 0.0
    var correct = 0
    for outcome in ordered {
      loss += Double(outcome.loss)
      correct += Int(outcome.correct)
    }
    let count = Double(max(1, total))
    return Result(loss: loss / count, accuracy: Double(correct) / count, utterances: total)
  }
}
