import Collectives
import SpeakerNet
import SpeechData
import Synchronization
import TensorCore

/// Accuracy and loss on the validation split, shared out over the ranks.
///
/// A rank evaluates the utterances of its own shards, one at a time, so that each stays in the cache; the results of
/// all are put into the notebook's order and summed there, so the figures do not depend on the number of ranks.
/// Segments are cropped by the seed, the same ones at every validation (the notebook draws new ones each time,
/// which makes its figure noisy), and every utterance counts, those of its last batch too.
package struct Validator<C: Communicator> {
  /// What is judged.
  package enum Unit: Equatable, Sendable {
    /// One segment of that many frames from each utterance.
    case segments(frames: Int)
    /// Whole utterances, one at a time.
    case wholeUtterances
  }

  /// The mean over the split.
  package struct Result: Equatable, Sendable {
    package let loss: Double
    package let accuracy: Double
    package let utterances: Int
  }

  let communicator: C
  let model: SpeakerModel
  let data: TrainingData
  let unit: Unit
  let seed: UInt64
  let team: EvaluationTeam

  package init(
    communicator: C, model: SpeakerModel, data: TrainingData, unit: Unit, seed: UInt64, team: EvaluationTeam
  ) {
    self.communicator = communicator
    self.model = model
    self.data = data
    self.unit = unit
    self.seed = seed
    self.team = team
  }

  /// What a validation utterance came to: its loss, and 1 if it was recognised, else 0.
  private typealias Outcome = (loss: Float, correct: Int32)

  /// Evaluates the state's parameters, to the end. Collective.
  package func callAsFunction(_ state: ModelState, console: Console) throws -> Result {
    try self(state, console: console, unless: { false })!
  }

  /// Evaluates the state's parameters. Collective.
  ///
  /// - Parameter isStopping: asked before each utterance; when it is true on any rank, all of them give up.
  /// - Returns: `nil` if it was given up.
  package func callAsFunction(
    _ state: ModelState, console: Console, unless isStopping: @Sendable () -> Bool
  ) throws -> Result? {
    let total = data.split.validation.count
    let ownership = ShardOwnership(shards: data.shards, ranks: communicator.size)
    let localShards = ownership.shards(of: communicator.rank)
    let mine = localShards.flatMap { data.validation[$0] }
    var outcomes = [Outcome](repeating: (0, 0), count: mine.count)

    return try console.progress("Valid", unit: "uttr", total: total) { bar in
      var finished = 0
      let isStopped = Atomic(false)
      let result: Result? = try outcomes.withUnsafeMutableBufferPointer { outcomes in
        try communicator.agreeing {
          try team.forEach(
            mine.count,
            done: {
              // What this rank has done stands for all: they have equal shares.
              finished += 1
              communicator.activity?.advance()
              bar.reach(total * finished / max(1, mine.count))
            }
          ) { item, workspace in
            if isStopping() { isStopped.store(true, ordering: .relaxed) }
            guard !isStopped.load(ordering: .relaxed) else { return }
            outcomes[item] = try evaluate(mine[item], state, workspace)
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

  /// What one of the split's utterances comes to.
  private func evaluate(_ position: Int, _ state: ModelState, _ workspace: Workspace) throws -> Outcome {
    let utterance = data.split.validation[position]
    let length =
      switch unit {
      case .segments(let frames): frames
      case .wholeUtterances: data.corpus.utterances[utterance].frames
      }
    var pass = Pass(
      samples: 1, frames: length, globalSamples: 1, mode: .evaluation, state: state, gradients: nil,
      workspace: workspace)
    let mels = pass.matrix(pass.rows, model.bands)
    try SegmentReader(corpus: data.corpus, length: length, normalization: data.normalization)
      .copySegment(of: utterance, Crop.validation(seed: seed, utterance: utterance), into: mels.base)
    let result = model.loss(ofRow: 0, of: model.logits(mels, &pass), label: data.label(of: utterance), pass)
    return (Float(result.loss), Int32(result.correct))
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

/// Threads that evaluate utterances, each in a workspace of its own.
package final class EvaluationTeam {
  /// Memory a workspace keeps after a very long utterance, in bytes.
  private static let keptMemory = 64 << 20

  private let team: ThreadTeam
  private let workspaces: [Workspace]

  package init(threads: Int) {
    team = ThreadTeam(workers: threads, seats: threads)
    workspaces = (0..<threads).map { _ in Workspace() }
  }

  /// Calls `body` once for each item; a result depends on its item alone, so it does not matter on which thread.
  ///
  /// - Parameter done: called after each item, by one thread at a time.
  /// - Throws: the error of the first item, in order, that failed.
  func forEach(
    _ count: Int, done: () -> Void = {}, _ body: (_ item: Int, _ workspace: Workspace) throws -> Void
  ) throws {
    var failure: (item: Int, error: any Error)?
    team.forEach(count) { item, worker in
      do {
        try body(item, workspaces[worker])
        team.withLock { done() }
      } catch {
        team.withLock { if failure == nil || failure!.item > item { failure = (item, error) } }
      }
      workspaces[worker].arena.trim(keeping: Self.keptMemory)
    }
    if let failure { throw failure.error }
  }
}
