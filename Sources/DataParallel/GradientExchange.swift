import Collectives
import SpeakerNet
import TensorCore
import Threads

/// How the gradients of all shards are summed (`train.reduction`).
public enum Reduction: String, CaseIterable, Sendable {
  /// One fixed binary tree over the shards: the same bits on any number of ranks.
  case ordered
  /// MPI's own all-reduce, as the thing to compare with: its bits depend on the number of ranks.
  case mpi
}

/// How gradients become an update of all ranks' parameters.
package struct ExchangeSettings: Sendable {
  /// How they are summed.
  package var reduction: Reduction
  /// What every node of the tree over the shards is rounded to, and sent as.
  package var precision: NodePrecision
  /// Whether they go out while the backward pass still runs.
  package var overlaps: Bool
  /// How much of the gradient is sent at once, at least, while the backward pass goes on.
  package var bucketFloats: Int
  /// AdamW's.
  package var weightDecay: Double

  package init(
    reduction: Reduction = .ordered, precision: NodePrecision = .f32, overlaps: Bool = true,
    bucketFloats: Int = Parameter.worthSending, weightDecay: Double = 0
  ) {
    self.reduction = reduction
    self.precision = precision
    self.overlaps = overlaps && reduction == .ordered
    self.bucketFloats = bucketFloats
    self.weightDecay = weightDecay
  }
}

/// What a rank exchanges with the others in a step, from the loss to the last parameter: begun by the workers and
/// moved on by them while they compute, ended by whoever called them.
///
/// The sum of the loss starts when the last slice of the rank knows its own. A bucket of the gradient goes out when
/// all slices have finished it, in the buckets' order. As soon as the loss is known to be a number on all ranks, a
/// bucket has arrived from all and no slice of this rank reads its parameters any more, they are updated and given to
/// all. So only the first layers' bucket is left when the backward pass ends.
///
/// All ranks must start their exchanges in one order. A slice reports its loss and its buckets before it arrives at
/// BatchNorm's next sum, which needs all slices of the rank: so they lie between the same two sums on every rank. When
/// a bucket is updated is each rank's own affair: parameters have a lane of their own. The library is called by one
/// thread at a time, under one lock, which MPI_THREAD_SERIALIZED asks for.
final class GradientExchange<C: Communicator>: @unchecked Sendable {
  // Unchecked: everything changes under the monitor until the workers are done, and on one thread from then on.

  private let communicator: C
  private let loss: LossSum<C>
  private let cuts: GradientBuckets
  /// In the order in which the backward pass finishes them; none where the library's all-reduce serves.
  private let buckets: [BucketExchange<C>]
  /// In the buckets' place (`Reduction.mpi`): the whole gradient, and the optimizer of everything on every rank.
  private let whole: (gradient: AlignedFloats, optimizer: AdamW)?
  /// Whether anything goes out before the backward pass has ended.
  private let overlaps: Bool
  private let monitor = Monitor()
  /// Buckets whose local sums are complete.
  private var isComplete: [Bool]
  /// How many buckets have gone out, are updated, and are in place.
  private var started = 0, updated = 0, gathered = 0
  /// For each local slice: of how many buckets it will not read the parameters again.
  private var releasedBySlice: [Int]
  private var update: ParameterUpdate?
  /// The summed gradient of the largest owned range.
  private let sum: AlignedFloats
  /// What went wrong on a worker's thread, for the caller's to throw.
  private var failure: (any Error)?

  init(
    _ communicator: C, ownership: ShardOwnership, buckets cuts: GradientBuckets, _ settings: ExchangeSettings
  ) throws {
    self.communicator = communicator
    self.cuts = cuts
    overlaps = settings.overlaps
    loss = try LossSum(communicator, ownership: ownership)
    switch settings.reduction {
    case .ordered:
      whole = nil
      buckets = try cuts.ranges.map { range in
        let reduction = try OrderedReduction(
          communicator, ownership: ownership, range: range, precision: settings.precision)
        return BucketExchange(
          reduction: reduction, optimizer: AdamW(range: reduction.owned, weightDecay: settings.weightDecay))
      }
    case .mpi:
      buckets = []
      whole = (
        AlignedFloats(count: cuts.count),
        AdamW(range: 0..<cuts.count, weightDecay: settings.weightDecay)
      )
    }
    isComplete = buckets.map { _ in false }
    releasedBySlice = Array(repeating: 0, count: max(1, ownership.shards(of: communicator.rank).count))
    sum = AlignedFloats(count: buckets.map(\.reduction.owned.count).max() ?? 0)
  }

  /// Begins a step.
  ///
  /// - Parameter update: what buckets are used for; `nil` keeps the parameters as they are.
  func begin(_ update: ParameterUpdate?) {
    self.update = update
    loss.reset()
    for bucket in isComplete.indices { isComplete[bucket] = false }
    for slice in releasedBySlice.indices { releasedBySlice[slice] = 0 }
    (started, updated, gathered) = (0, 0, 0)
  }

  // MARK: While the workers compute; from any thread

  /// What is known of a local slice before its backward pass.
  func report(_ slice: Int, _ values: LossSum<C>.Values, clock: PhaseClock) {
    guarded(clock) { if loss.report(slice, values), overlaps { try loss.start() } }
  }

  /// Sends a bucket whose local sums are complete, as soon as those before it have gone.
  func start(_ bucket: Int, roots: [UnsafePointer<Float>], clock: PhaseClock) {
    guard overlaps, update != nil else { return }
    guarded(clock) {
      isComplete[bucket] = true
      while started < buckets.count && isComplete[started] {
        try buckets[started].reduction.start(roots: roots)
        started += 1
      }
    }
  }

  /// A local slice will not read parameters from this element of the flat buffer on again.
  func release(from offset: Int, by slice: Int, clock: PhaseClock) {
    guard overlaps else { return }
    guarded(clock) { releasedBySlice[slice] = cuts.count(from: offset) }
  }

  /// Moves what is under way on, unless another thread does.
  func progress(clock: PhaseClock) {
    guard overlaps else { return }
    monitor.withLockIfFree {
      guard failure == nil else { return }
      do { try moveOn(clock) } catch { failure = error }
    }
  }

  /// One test moves all that is under way: that of the first thing that has not arrived says something new.
  private func moveOn(_ clock: PhaseClock) throws {
    if loss.isUnderWay { try clock.measure(.exchange) { try loss.test() } }
    guard let known = loss.known, known.isSound, let update else { return }
    if updated < min(started, releasedBySlice.min() ?? 0) {
      let bucket = buckets[updated]
      guard try clock.measure(.exchange, { try bucket.reduction.test() }) else { return }
      try bucket.update(update, sum: sum.start, clock: clock)
      updated += 1
    } else if gathered < updated {
      let isInPlace = try clock.measure(.exchange) { try buckets[gathered].reduction.testGather() }
      if isInPlace { gathered += 1 }
    }
  }

  private func guarded(_ clock: PhaseClock, _ body: () throws -> Void) {
    clock.measure(.exchange) {
      monitor.withLock {
        guard failure == nil else { return }
        do { try body() } catch { failure = error }
      }
    }
  }

  // MARK: After the backward pass; from one thread

  /// Waits until it is known what all ranks must know of a batch of so many samples.
  func agree(samples: Int, clock: PhaseClock) throws -> StepOutcome {
    if let failure { throw failure }
    communicator.activity?.note(.lossSum)
    let known = try clock.measure(.exchange) { try loss.wait() }
    return StepOutcome(
      loss: known.loss / Float(samples), accuracy: known.correct / Float(samples), isSound: known.isSound,
      isStopping: known.requestsToStop > 0)
  }

  /// After an outcome that is not sound: lets what is under way, and will not be used, go through all the same.
  func drain() throws { for bucket in buckets[..<started] { try bucket.reduction.wait() } }

  /// Sends, updates and gathers what has not been yet.
  func finish(_ gradients: GradientTree, clock: PhaseClock) throws {
    guard let update else { return }
    communicator.activity?.note(.gradientExchange)
    if let (gradient, optimizer) = whole {
      gradients.sumRoots(into: gradient.start)
      try clock.measure(.exchange) {
        try communicator.allReduceSum(
          UnsafeMutableBufferPointer(start: gradient.start, count: gradient.count))
      }
      return clock.measure(.optimizer) { optimizer.update(update, gradient: gradient.start) }
    }
    while started < buckets.count {
      try clock.measure(.exchange) { try buckets[started].reduction.start(roots: gradients.roots) }
      started += 1
    }
    while updated < buckets.count {
      try buckets[updated].update(update, sum: sum.start, clock: clock)
      updated += 1
    }
    communicator.activity?.note(.parameterGather)
    while gathered < buckets.count {
      try clock.measure(.exchange) { try buckets[gathered].reduction.finishGather() }
      gathered += 1
    }
  }

  /// This rank's slices whose own loss is not finite.
  var nonFiniteSlices: [Int] { loss.nonFiniteSlices }

  // MARK: The moments, shared out over the ranks

  /// All moments, on rank 0; `nil` elsewhere. Collective.
  func gatherMoments() throws -> Moments? {
    let moment = try gather(\.moment)
    let variance = try gather(\.variance)
    guard let moment, let variance else { return nil }
    return Moments(moment: moment, variance: variance)
  }

  /// Takes this rank's part of all moments.
  func set(_ moments: Moments) {
    for optimizer in buckets.map(\.optimizer) + [whole?.optimizer].compactMap(\.self) {
      optimizer.set(moments)
    }
  }

  private func gather(_ values: (AdamW) -> UnsafeMutablePointer<Float>) throws -> [Float]? {
    if let optimizer = whole?.optimizer {
      return Array(UnsafeBufferPointer(start: values(optimizer), count: cuts.count))
    }
    var all = [Float](repeating: 0, count: communicator.rank == 0 ? cuts.count : 0)
    try all.withUnsafeMutableBufferPointer { all in
      for bucket in buckets {
        let counts = (0..<communicator.size).map {
          bucket.reduction.owned(by: $0).count * MemoryLayout<Float>.size
        }
        let mine = UnsafeBufferPointer(start: values(bucket.optimizer), count: bucket.reduction.owned.count)
        let destination = UnsafeMutableBufferPointer(
          rebasing: communicator.rank == 0 ? all[bucket.reduction.range] : all[...])
        try communicator.gather(
          UnsafeRawBufferPointer(mine), into: UnsafeMutableRawBufferPointer(destination), counts: counts,
          root: 0)
      }
    }
    return communicator.rank == 0 ? all : nil
  }
}

/// One bucket of the gradient: the range of it that this rank owns summed over all shards; that range of the
/// parameters updated with its moments, and given to all.
private struct BucketExchange<C: Communicator> {
  let reduction: OrderedReduction<C>
  /// Over the owned range.
  let optimizer: AdamW

  /// Waits for the other ranks' parts, updates, and starts to give the result to all.
  ///
  /// - Parameter sum: memory for the owned range of the gradient.
  func update(_ update: ParameterUpdate, sum: UnsafeMutablePointer<Float>, clock: PhaseClock) throws {
    try clock.measure(.exchange) { try reduction.finish(into: sum) }
    clock.measure(.optimizer) { optimizer.update(update, gradient: sum) }
    try clock.measure(.exchange) { try reduction.startGather(update.parameters) }
  }
}
