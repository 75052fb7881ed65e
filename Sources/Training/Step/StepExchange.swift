import Collectives
import TensorCore
import Threads

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
final class StepExchange<C: Communicator>: @unchecked Sendable {
  // Unchecked: everything changes under the monitor until the workers are done, and on one thread from then on.

  /// In the order in which the backward pass finishes them. None where nobody updates, or the library's all-reduce
  /// serves.
  let buckets: [BucketExchange<C>]
  /// Whether anything goes out before the backward pass has ended.
  let overlaps: Bool

  private let communicator: C
  private let loss: LossSum<C>
  private let monitor = Monitor()
  /// Buckets whose local sums are complete.
  private var isComplete: [Bool]
  /// How many buckets have gone out, are updated, and are in place.
  private var started = 0, updated = 0, gathered = 0
  /// For each local slice: of how many buckets it will not read the parameters again.
  private var releasedBySlice: [Int]
  private var update: ParameterUpdate?
  /// The summed gradient of the largest slice.
  private let gradient: AlignedFloats
  /// What went wrong on a worker's thread, for the caller's to throw.
  private var failure: (any Error)?

  init(
    _ communicator: C, ownership: ShardOwnership, buckets: [BucketExchange<C>] = [], overlaps: Bool = false
  ) throws {
    self.communicator = communicator
    self.buckets = buckets
    self.overlaps = overlaps
    loss = try LossSum(communicator, ownership: ownership)
    isComplete = buckets.map { _ in false }
    releasedBySlice = Array(
      repeating: 0, count: max(1, ownership.shards(of: communicator.rank).count))
    gradient = AlignedFloats(count: buckets.map(\.reduction.slice.count).max() ?? 0)
  }

  /// Begins a step.
  ///
  /// - Parameter update: what buckets are used for; `nil` keeps the parameters as they are.
  func begin(_ update: ParameterUpdate?) {
    self.update = update
    loss.reset()
    for bucket in isComplete.indices { isComplete[bucket] = false }
    for slice in releasedBySlice.indices { releasedBySlice[slice] = 0 }
    started = 0
    updated = 0
    gathered = 0
  }

  // MARK: While the workers compute; from any thread

  /// What is known of a local slice before its backward pass.
  func report(_ slice: Int, _ values: LossSum<C>.Values, clock: PhaseClock) {
    guarded(clock) { if loss.report(slice, values), overlaps { try loss.start() } }
  }

  /// Sends a bucket whose local sums are complete, as soon as those before it have gone.
  func start(_ bucket: Int, roots: [UnsafePointer<Float>], clock: PhaseClock) {
    guard overlaps else { return }
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
    guarded(clock) {
      while releasedBySlice[slice] < buckets.count,
        buckets[releasedBySlice[slice]].reduction.range.lowerBound >= offset
      {
        releasedBySlice[slice] += 1
      }
    }
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
      try bucket.update(update, sum: gradient.start, clock: clock)
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

  /// Waits until it is known what all ranks must know of the batch. Where that forbids the step, nothing is under way
  /// any more when this returns, and nothing was updated.
  func agree(clock: PhaseClock) throws -> LossSum<C>.Values {
    if let failure { throw failure }
    communicator.activity?.note(.lossSum)
    let known = try clock.measure(.exchange) { try loss.wait() }
    // What will not be used must have gone through all the same.
    if !known.isSound { for bucket in buckets[..<started] { try bucket.reduction.wait() } }
    return known
  }

  /// Sends, updates and gathers what has not been yet.
  ///
  /// - Parameter roots: this rank's sums of the gradient.
  func finish(roots: [UnsafePointer<Float>], clock: PhaseClock) throws {
    guard let update else { return }
    communicator.activity?.note(.gradientExchange)
    while started < buckets.count {
      try clock.measure(.exchange) { try buckets[started].reduction.start(roots: roots) }
      started += 1
    }
    while updated < buckets.count {
      try buckets[updated].update(update, sum: gradient.start, clock: clock)
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
}
