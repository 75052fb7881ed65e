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
  private let scalars: OrderedSum<C>
  private let workspaces: WorkspacePool
  /// Where buckets go as soon as they are complete; `nil` when somebody sends the roots afterwards.
  private let reductions: BucketReductions<C>?
  /// For each slice: the buckets of its gradient that are final, and what tells of them.
  private let finishedBuckets: UnsafeMutablePointer<Int>
  private var gradientWatches: [Watch] = []
  /// For each slice, the sum that BatchNorm asks for; `nil` when the slice is the whole batch.
  private var batchSums: [BatchSum?] = []
  /// What the workers run, and what they carry in the present step.
  private var carryAll = TeamWork { _ in }
  private var work: Work?
  /// Time of the thread that exchanges.
  let exchangeClock: PhaseClock
  /// [local shards, 4]: loss, correct, failures, requests to stop.
  private let scalarValues: UnsafeMutablePointer<Float>
  private let scalarSums: UnsafeMutablePointer<Float>
  private var failure: (shard: Int, error: any Error)?
  private let labels: UnsafeMutablePointer<Int32>
  /// [local samples, speakers]: the logits of the last step, when they are kept.
  let logits: UnsafeMutablePointer<Float>?

  init(
    _ communicator: C, model: SpeakerModel, state: ModelState, shape: BatchShape, threads: Int,
    buckets: GradientBuckets, precision: NodePrecision = .float32, reductions: BucketReductions<C>? = nil,
    keepsLogits: Bool = false,
    measures: Bool = false, keepsIntervals: Bool = false
  ) throws(Failure) {
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
    scalars = try OrderedSum(communicator, ownership: ownership, count: 4)
    let slices = max(1, run.count)
    gradients = GradientTree(
      count: model.layout.trainedCount, buckets: buckets, run: run, in: ShardTree(shards: shape.shards),
      precision: precision)
    self.reductions = reductions
    finishedBuckets = .allocate(capacity: slices)
    finishedBuckets.initialize(repeating: 0, count: slices)
    workspaces = WorkspacePool(measures: measures, keepsIntervals: keepsIntervals)
    exchangeClock = PhaseClock(isOn: measures, keepsIntervals: keepsIntervals)
    scalarValues = .allocate(capacity: 4 * slices)
    scalarValues.initialize(repeating: 0, count: 4 * slices)
    scalarSums = .allocate(capacity: 4)
    scalarSums.initialize(repeating: 0, count: 4)
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
    gradientWatches = (0..<slices).map { slice in
      Watch { [unowned self] offset in finished(slice, from: offset) }
    }
  }

  deinit {
    scalarValues.deallocate()
    scalarSums.deallocate()
    labels.deallocate()
    finishedBuckets.deallocate()
    logits?.deallocate()
  }

  /// Computes one step's gradients.
  ///
  /// - Parameters:
  ///   - dropoutSeed: the run's seed; `nil` turns dropout off.
  ///   - isStopping: whether this rank wants to stop after this step.
  /// - Throws: on every rank, when a slice could not be filled on any; when the loss is not a number.
  func callAsFunction(
    step: Int, source: any SliceSource, dropoutSeed: UInt64?, isStopping: Bool = false
  ) throws -> Outcome {
    gradients.reset()
    finishedBuckets.update(repeating: 0, count: max(1, run.count))
    failure = nil
    work = Work(step: step, source: source, dropoutSeed: dropoutSeed, isStopping: isStopping)
    team.run(carryAll)
    work = nil
    let finished = exchangeClock.isOn ? monotonicNanoseconds() : 0
    communicator.activity?.note(.lossSum)
    try scalars.sum(scalarValues, into: scalarSums)
    if exchangeClock.isOn { exchangeClock.add(.exchange, from: finished, to: monotonicNanoseconds()) }
    let failures = scalarSums[2]
    // What all ranks will not use must have gone through all the same.
    if failures > 0 || !scalarSums[0].isFinite { try reductions?.discard() }
    if failures > 0 { try communicator.agreeing { if let failure { throw failure.error } } }
    let samples = Float(shape.samples)
    return Outcome(
      loss: scalarSums[0] / samples, accuracy: scalarSums[1] / samples, isStopping: scalarSums[3] > 0)
  }

  /// This rank's shards whose own loss is not finite.
  var nonFiniteShards: [Int] { run.filter { !scalarValues[4 * ($0 - run.lowerBound)].isFinite } }

  /// Time by phase of every worker.
  var clocks: [PhaseClock] { workspaces.clocks }

  /// A closure in a structure: out of an array of closures each would be wrapped, and so allocated, anew.
  private struct Watch {
    let report: GradientWatch
  }

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
      gradientWatch: gradientWatches[slice].report)
    let mels = pass.matrix(pass.rows, SpeakerModel.melBands)
    let labels = labels + slice * shape.samplesPerShard
    var failed = false
    if !isEmpty {
      do {
        let start = workspace.clock.isOn ? monotonicNanoseconds() : 0
        try work.source.fill(shard: shard, step: work.step, mels: mels.base, labels: labels)
        if workspace.clock.isOn { workspace.clock.add(.data, from: start, to: monotonicNanoseconds()) }
      } catch {
        // The pass goes on with silence: other slices wait for this one's sums. All ranks throw afterwards.
        failed = true
        mels.clear()
        labels.update(repeating: 0, count: shape.samplesPerShard)
        team.withLock { if failure == nil || failure!.shard > shard { failure = (shard, error) } }
      }
    }
    let (logits_BC, result) = model.gradients(mels, labels: labels, &pass)
    guard !isEmpty else { return }
    if let logits {
      (logits + slice * logits_BC.count).update(from: logits_BC.base, count: logits_BC.count)
    }
    let values = scalarValues + 4 * slice
    values[0] = Float(result.loss)
    values[1] = Float(result.correct)
    values[2] = failed ? 1 : 0
    values[3] = work.isStopping ? 1 : 0
  }

  /// A slice's gradient is final from `offset` on: adds the buckets that this completes to the other slices', and
  /// sends those that all local slices have completed.
  private func finished(_ slice: Int, from offset: Int) {
    while finishedBuckets[slice] < gradients.buckets.count,
      gradients.buckets[finishedBuckets[slice]].lowerBound >= offset
    {
      let bucket = finishedBuckets[slice]
      finishedBuckets[slice] += 1
      if gradients.finish(bucket, of: slice) { reductions?.start(bucket, roots: gradients.roots) }
    }
    reductions?.progress()
  }
}
