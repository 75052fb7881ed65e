import Collectives
import Diagnostics
import SpeakerNet
import TensorCore

/// One step on one rank, up to the summed gradient: its shards' slices through the network and back, and what they
/// exchange meanwhile. It owns the step from ``begin(_:source:dropoutSeed:isStopping:update:)`` to ``finish()``:
///
///     step.begin(…)
///     step.runSlices()                    // slices call back: sums of the batch, the loss, gradients that are final
///     let outcome = try step.agree()      // the same on every rank
///     guard outcome.isSound else { throw step.refuse() }
///     try step.finish()                   // whatever of exchange and update was not done meanwhile
package final class GradientStep<C: Communicator>: GlobalBatch, @unchecked Sendable {
  // Unchecked: workers touch their own slices and workspaces, and what they share is locked where it lives.

  private let communicator: C
  private let model: SpeakerModel
  private let state: ModelState
  private let batch: BatchShape
  /// This rank's.
  private let shards: Range<Int>
  private let team: ThreadTeam
  private let workspaces = WorkspacePool()
  private let gradients: GradientTree
  private let batchNorm: BatchNormSums<C>
  let exchange: GradientExchange<C>
  /// Time of the thread that calls the step, which exchanges and updates.
  package let clock = PhaseClock()

  /// One for each shard; one without samples where the rank has no shard, so that it takes part in the others' sums.
  private let slices: UnsafeMutableBufferPointer<Slice>
  /// [slices, samples of a slice]
  private let labels: UnsafeMutablePointer<Int32>
  /// The same of mixtures: their other labels, and the parts of the first.
  private let otherLabels: UnsafeMutablePointer<Int32>, parts: UnsafeMutablePointer<Float>
  private var order: Order?
  /// What the workers run: made once, since a closure takes memory.
  private var carryAll = TeamWork { _ in }

  /// A slice in the present step.
  private struct Slice {
    /// Buckets of its gradient that are final.
    var finalBuckets = 0
    /// Why it could not be filled.
    var failure: (any Error)?
  }

  /// What a step is told.
  private struct Order {
    let step: Int
    let source: any SliceSource
    let dropoutSeed: UInt64?
    let isStopping: Bool
    let logits: UnsafeMutablePointer<Float>?
  }

  /// - Parameter threads: slices that this rank carries through the network at a time.
  package init(
    _ communicator: C, model: SpeakerModel, state: ModelState, batch: BatchShape, threads: Int,
    exchange settings: ExchangeSettings
  ) throws {
    let ownership = ShardOwnership(shards: batch.shards, ranks: communicator.size)
    self.communicator = communicator
    self.model = model
    self.state = state
    self.batch = batch
    shards = ownership.shards(of: communicator.rank)
    let count = max(1, shards.count)
    team = ThreadTeam(workers: count, seats: threads)
    batchNorm = BatchNormSums(
      communicator, ownership: ownership, team: team, capacity: 2 * model.configuration.dModel)
    let buckets = GradientBuckets(model.layout, settings)
    gradients = GradientTree(
      count: model.layout.trainedCount, buckets: buckets, shards: shards,
      in: ShardTree(shards: batch.shards), precision: settings.precision)
    exchange = try GradientExchange(communicator, ownership: ownership, buckets: buckets, settings)
    slices = .allocate(capacity: count)
    slices.initialize(repeating: Slice())
    let samples = count * batch.samplesPerShard
    labels = .allocate(capacity: samples)
    labels.initialize(repeating: 0, count: samples)
    otherLabels = .allocate(capacity: samples)
    otherLabels.initialize(repeating: 0, count: samples)
    parts = .allocate(capacity: samples)
    parts.initialize(repeating: 1, count: samples)
    carryAll = TeamWork { [unowned self] slice in carry(slice) }
  }

  deinit {
    slices.deinitialize()
    slices.deallocate()
    labels.deallocate()
    otherLabels.deallocate()
    parts.deallocate()
  }

  // MARK: The step, from the thread that calls it

  /// Begins a step.
  ///
  /// - Parameters:
  ///   - dropoutSeed: the run's seed; `nil` turns dropout off.
  ///   - isStopping: whether this rank wants to stop after this step.
  ///   - logits: [this rank's samples, speakers], where they go; `nil` where nobody asks for them.
  ///   - update: what the gradient is used for, in part already while the rest is computed; `nil` keeps the parameters.
  package func begin(
    _ step: Int, source: any SliceSource, dropoutSeed: UInt64?, isStopping: Bool = false,
    logits: UnsafeMutablePointer<Float>? = nil, update: ParameterUpdate? = nil
  ) {
    gradients.reset()
    exchange.begin(update)
    slices.update(repeating: Slice())
    order = Order(
      step: step, source: source, dropoutSeed: dropoutSeed, isStopping: isStopping, logits: logits)
  }

  /// Takes every slice of this rank through the network, forward and backward.
  package func runSlices() { team.run(carryAll) }

  /// What all ranks know of the batch, waited for.
  package func agree() throws -> StepOutcome { try exchange.agree(samples: batch.samples, clock: clock) }

  /// Sums, updates and gathers what has not been yet.
  package func finish() throws { try exchange.finish(gradients, clock: clock) }

  /// In ``finish()``'s place, when the outcome is not sound: nothing is under way any more, nothing was updated, and
  /// every rank has the same reason to throw. Collective.
  package func refuse() throws -> any Error {
    try exchange.drain()
    do {
      try communicator.agreeing { if let failure = slices.lazy.compactMap(\.failure).first { throw failure } }
    } catch { return error }
    let mine = shards.isEmpty ? [] : exchange.nonFiniteSlices.map { String(shards.lowerBound + $0) }
    let found = try communicator.allGather(text: mine.joined(separator: ", "))
    let hosts = try communicator.allGather(text: communicator.hostName)
    return NonFiniteLoss(
      step: (order?.step ?? 0) + 1,
      places: found.indices.filter { !found[$0].isEmpty }
        .map { "rank \($0) on \(hosts[$0]) (shard \(found[$0]))" })
  }

  /// In ``finish()``'s place, where nobody updates: the gradient of the whole batch, [trainedCount], on every rank.
  /// Collective.
  package func summedGradient() throws -> [Float] {
    let reduction = try OrderedReduction(
      communicator, ownership: ShardOwnership(shards: batch.shards, ranks: communicator.size),
      range: 0..<model.layout.trainedCount)
    var sum = [Float](repeating: 0, count: model.layout.trainedCount)
    try sum.withUnsafeMutableBufferPointer { sum in
      guard let start = sum.baseAddress else { return }
      try reduction.start(roots: gradients.roots)
      try reduction.finish(into: start + reduction.owned.lowerBound)
      try reduction.startGather(start)
      try reduction.finishGather()
    }
    return sum
  }

  /// Starts the clocks of the workers and of the calling thread, from zero; between two steps.
  package func startClocks(keepsIntervals: Bool) {
    workspaces.startClocks(keepsIntervals: keepsIntervals)
    clock.start(keepsIntervals: keepsIntervals)
  }

  /// Time by phase of every worker.
  package var workerClocks: [PhaseClock] { workspaces.allClocks }

  // MARK: A slice, on a worker's thread

  private func carry(_ slice: Int) {
    guard let order else { return }
    let workspace = workspaces.take()
    workspace.clock.work { carry(slice, order, in: workspace) }
    workspaces.give(workspace)
  }

  /// The slice of one shard, forward and backward.
  private func carry(_ slice: Int, _ order: Order, in workspace: Workspace) {
    let isEmpty = shards.isEmpty
    let shard = shards.lowerBound + slice
    var pass = Pass(
      samples: isEmpty ? 0 : batch.samplesPerShard,
      frames: order.source.frames(ofStep: order.step) ?? batch.frames, globalSamples: batch.samples,
      mode: .training, state: state, gradients: gradients.buffer(for: slice), workspace: workspace,
      dropout: order.dropoutSeed.map {
        RandomStream(seed: $0, purpose: .dropout, step: order.step, shard: shard)
      },
      batch: self, slice: slice)
    let mels = pass.matrix(pass.rows, model.bands)
    let first = slice * batch.samplesPerShard
    let labels = labels + first
    var mixture: Mixture?
    if !isEmpty {
      do {
        try workspace.clock.measure(.data) {
          try fill(order.source, shard, order.step, mels.base, labels)
          if order.source.mix(
            shard: shard, step: order.step, mels: mels.base, labels: labels, others: otherLabels + first,
            parts: parts + first)
          {
            mixture = Mixture(labels: otherLabels + first, parts: parts + first)
          }
        }
      } catch {
        // The pass goes on with silence: other slices wait for this one's sums. All ranks throw afterwards.
        mels.clear()
        labels.update(repeating: 0, count: batch.samplesPerShard)
        slices[slice].failure = error
      }
    }
    let logits_BC = model.gradients(mels, labels: labels, mixture: mixture, &pass).logits
    if let logits = order.logits, !isEmpty {
      (logits + slice * logits_BC.count).update(from: logits_BC.base, count: logits_BC.count)
    }
  }

  /// Reads a slice, and notes for the watchdog that this rank reads.
  private func fill(
    _ source: any SliceSource, _ shard: Int, _ step: Int, _ mels: UnsafeMutablePointer<Float>,
    _ labels: UnsafeMutablePointer<Int32>
  ) throws {
    guard let activity = communicator.activity else {
      return try source.fill(shard: shard, step: step, mels: mels, labels: labels)
    }
    try activity.reading { try source.fill(shard: shard, step: step, mels: mels, labels: labels) }
  }

  package func sum(_ values: UnsafeMutablePointer<Float>, count: Int, ofSlice slice: Int, clock: PhaseClock) {
    if batch.shards > 1 || communicator.size > 1 {
      batchNorm.reduce(values, count: count, slice: slice, clock: clock)
    }
  }

  package func lossIsKnown(_ loss: Loss.Result, ofSlice slice: Int, clock: PhaseClock) {
    exchange.report(
      slice,
      LossSum<C>.Values(
        loss: Float(loss.loss), correct: Float(loss.correct),
        failures: slices[slice].failure == nil ? 0 : 1,
        requestsToStop: order?.isStopping == true ? 1 : 0), clock: clock)
  }

  /// Adds the buckets that this completes to the other slices', and sends those that all local slices have completed.
  package func gradientsAreFinal(
    from offset: Int, released: Int, ofSlice slice: Int, clock: PhaseClock
  ) {
    exchange.release(from: released, by: slice, clock: clock)
    let final = gradients.buckets.count(from: offset)
    while slices[slice].finalBuckets < final {
      let bucket = slices[slice].finalBuckets
      slices[slice].finalBuckets += 1
      if gradients.finish(bucket, of: slice) { exchange.start(bucket, roots: gradients.roots, clock: clock) }
    }
    exchange.progress(clock: clock)
  }

  package func moment(clock: PhaseClock) { exchange.progress(clock: clock) }
}

/// What all ranks agree on before they update.
package struct StepOutcome: Sendable {
  /// Mean over the global batch.
  package let loss: Float
  /// Fraction of the global batch.
  package let accuracy: Float
  /// Whether the batch may be used: every slice could be filled, and the loss is a number.
  package let isSound: Bool
  /// Whether any rank wants to stop after this step.
  package let isStopping: Bool
}

/// The loss of a batch that is not a number, and where it was found; the same on every rank.
package struct NonFiniteLoss: Error, CustomStringConvertible {
  /// Counted from 1.
  package let step: Int
  /// Rank, host and shards.
  package let places: [String]

  package var description: String {
    let found = places.isEmpty ? "" : ", found by " + places.joined(separator: "; ")
    return "step \(step): the loss is not a finite number\(found)"
  }
}
