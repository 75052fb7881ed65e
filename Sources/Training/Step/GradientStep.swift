import Collectives
import Diagnostics
import SpeakerNet
import TensorCore

/// The first half of a step: every local shard's slice through the network and back, the gradients summed into this
/// rank's roots, the loss and the accuracy of the whole batch known to every rank.
package final class GradientStep<C: Communicator>: @unchecked Sendable {
  // Unchecked: workers touch their own workspaces, and what they share is locked where it lives.

  /// What all ranks agree on before they update.
  package struct Outcome: Sendable {
    /// Mean over the global batch.
    package let loss: Float
    /// Fraction of the global batch.
    package let accuracy: Float
    /// Whether any rank wants to stop after this step.
    package let isStopping: Bool
  }

  let gradients: GradientTree
  private let model: SpeakerModel
  private let state: ModelState
  private let communicator: C
  private let shape: BatchShape
  private let run: Range<Int>
  private let team: ThreadTeam
  private let sliceSum: SliceSum<C>
  private let workspaces: WorkspacePool
  /// Where the loss goes, and buckets as soon as they are complete.
  private let exchange: StepExchange<C>
  /// For each slice: the buckets of its gradient that are final, and what tells of them.
  private let finishedBuckets: UnsafeMutablePointer<Int>
  private var watches: [PassWatch] = []
  /// For each slice, the sum that BatchNorm asks for; `nil` when the slice is the whole batch.
  private var batchSums: [BatchSum?] = []
  /// What the workers run, and what they carry in the present step.
  private var carryAll = TeamWork { _ in }
  private var work: Work?
  /// Time of the thread that exchanges.
  let exchangeClock: PhaseClock
  /// For each slice: why it could not be filled.
  private let failures: UnsafeMutableBufferPointer<(any Error)?>
  private let labels: UnsafeMutablePointer<Int32>
  /// [local samples, speakers]: the logits of the last step, when they are kept.
  let logits: UnsafeMutablePointer<Float>?

  init(
    _ communicator: C, model: SpeakerModel, state: ModelState, shape: BatchShape, threads: Int,
    buckets: GradientBuckets, precision: NodePrecision = .float32, exchange: StepExchange<C>,
    keepsLogits: Bool = false, measures: Bool = false, keepsIntervals: Bool = false
  ) {
    let ownership = ShardOwnership(shards: shape.shards, ranks: communicator.size)
    self.communicator = communicator
    self.model = model
    self.state = state
    self.shape = shape
    run = ownership.shards(of: communicator.rank)
    // A rank without shards carries an empty slice, so that it takes part in the sums of the others.
    team = ThreadTeam(workers: max(1, run.count), seats: threads)
    sliceSum = SliceSum(
      communicator, ownership: ownership, team: team, capacity: 2 * model.configuration.dModel)
    let slices = max(1, run.count)
    gradients = GradientTree(
      count: model.layout.trainedCount, buckets: buckets, run: run, in: ShardTree(shards: shape.shards),
      precision: precision)
    self.exchange = exchange
    finishedBuckets = .allocate(capacity: slices)
    finishedBuckets.initialize(repeating: 0, count: slices)
    workspaces = WorkspacePool(measures: measures, keepsIntervals: keepsIntervals)
    exchangeClock = PhaseClock(isOn: measures, keepsIntervals: keepsIntervals)
    failures = .allocate(capacity: slices)
    failures.initialize(repeating: nil)
    labels = .allocate(capacity: slices * shape.samplesPerShard)
    labels.initialize(repeating: 0, count: slices * shape.samplesPerShard)
    logits = keepsLogits ? .allocate(capacity: slices * shape.samplesPerShard * model.speakers) : nil
    // Made once, as a closure takes memory.
    carryAll = TeamWork { [unowned self] slice in carry(slice) }
    batchSums = (0..<slices).map { slice in
      guard shape.shards > 1 || communicator.size > 1 else { return nil }
      return BatchSum(writesStatistics: slice == 0) { [sliceSum] values, count, clock in
        sliceSum.reduce(values, count: count, slice: slice, clock: clock)
      }
    }
    watches = (0..<slices).map { slice in
      PassWatch(
        loss: { [unowned self] loss, clock in report(slice, loss, clock) },
        gradients: { [unowned self] offset, released, clock in
          exchange.release(from: released, by: slice, clock: clock)
          finished(slice, from: offset, clock)
        },
        moment: { [exchange] clock in exchange.progress(clock: clock) })
    }
  }

  deinit {
    failures.deinitialize()
    failures.deallocate()
    labels.deallocate()
    finishedBuckets.deallocate()
    logits?.deallocate()
  }

  /// Computes one step's gradients.
  ///
  /// - Parameters:
  ///   - dropoutSeed: the run's seed; `nil` turns dropout off.
  ///   - isStopping: whether this rank wants to stop after this step.
  ///   - update: what the exchange uses the gradient for, in part already while it is computed.
  /// - Throws: on every rank, when a slice could not be filled on any.
  func callAsFunction(
    step: Int, source: any SliceSource, dropoutSeed: UInt64?, isStopping: Bool = false,
    update: ParameterUpdate? = nil
  ) throws -> Outcome {
    gradients.reset()
    exchange.begin(update)
    finishedBuckets.update(repeating: 0, count: max(1, run.count))
    failures.update(repeating: nil)
    work = Work(step: step, source: source, dropoutSeed: dropoutSeed, isStopping: isStopping)
    team.run(carryAll)
    work = nil
    let known = try exchange.agree(clock: exchangeClock)
    if known.failures > 0 {
      try communicator.agreeing { if let failure = failures.lazy.compactMap({ $0 }).first { throw failure } }
    }
    let samples = Float(shape.samples)
    return Outcome(
      loss: known.loss / samples, accuracy: known.correct / samples, isStopping: known.requestsToStop > 0)
  }

  /// This rank's shards whose own loss is not finite.
  var nonFiniteShards: [Int] {
    run.isEmpty ? [] : exchange.nonFiniteSlices.map { run.lowerBound + $0 }
  }

  /// Time by phase of every worker.
  var clocks: [PhaseClock] { workspaces.clocks }

  /// What a step is told.
  private struct Work {
    let step: Int
    let source: any SliceSource
    let dropoutSeed: UInt64?
    let isStopping: Bool
  }

  /// One worker's part.
  private func carry(_ slice: Int) {
    guard let work else { return }
    let workspace = workspaces.take()
    workspace.clock.work { carry(slice, work, in: workspace) }
    workspaces.give(workspace)
  }

  /// The slice of one shard, forward and backward.
  private func carry(_ slice: Int, _ work: Work, in workspace: Workspace) {
    let isEmpty = run.isEmpty
    let shard = run.lowerBound + slice
    var pass = Pass(
      samples: isEmpty ? 0 : shape.samplesPerShard, frames: shape.frames, globalSamples: shape.samples,
      mode: .training, state: state, gradients: gradients.buffer(for: slice),
      workspace: workspace,
      dropout: work.dropoutSeed.map {
        RandomStream(seed: $0, purpose: .dropout, step: work.step, shard: shard)
      },
      batchSum: batchSums[slice],
      watch: watches[slice])
    let mels = pass.matrix(pass.rows, SpeakerModel.melBands)
    let labels = labels + slice * shape.samplesPerShard
    if !isEmpty {
      do {
        let start = workspace.clock.isOn ? monotonicNanoseconds() : 0
        try work.source.fill(shard: shard, step: work.step, mels: mels.base, labels: labels)
        if workspace.clock.isOn { workspace.clock.add(.data, from: start, to: monotonicNanoseconds()) }
      } catch {
        // The pass goes on with silence: other slices wait for this one's sums. All ranks throw afterwards.
        mels.clear()
        labels.update(repeating: 0, count: shape.samplesPerShard)
        failures[slice] = error
      }
    }
    let logits_BC = model.gradients(mels, labels: labels, &pass).logits
    if let logits, !isEmpty {
      (logits + slice * logits_BC.count).update(from: logits_BC.base, count: logits_BC.count)
    }
  }

  /// A slice's loss is known.
  private func report(_ slice: Int, _ loss: Loss.Result, _ clock: PhaseClock) {
    var values = LossSum<C>.Values(loss: Float(loss.loss), correct: Float(loss.correct))
    values.failures = failures[slice] == nil ? 0 : 1
    values.requestsToStop = work?.isStopping == true ? 1 : 0
    exchange.report(slice, values, clock: clock)
  }

  /// A slice's gradient is final from `offset` on: adds the buckets that this completes to the other slices', and
  /// sends those that all local slices have completed.
  private func finished(_ slice: Int, from offset: Int, _ clock: PhaseClock) {
    while finishedBuckets[slice] < gradients.buckets.count,
      gradients.buckets[finishedBuckets[slice]].lowerBound >= offset
    {
      let bucket = finishedBuckets[slice]
      finishedBuckets[slice] += 1
      if gradients.finish(bucket, of: slice) { exchange.start(bucket, roots: gradients.roots, clock: clock) }
    }
    exchange.progress(clock: clock)
  }
}
