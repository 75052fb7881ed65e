import Collectives
import TensorCore
import Threads

/// The ordered reductions of all buckets, started by the workers while the backward pass goes on.
///
/// All ranks must start their collectives in one order. Buckets start in their order, whichever is complete first;
/// and a slice reports a bucket before it arrives at BatchNorm's next sum, which needs all slices of the rank: so
/// the buckets lie between the same two sums on every rank. The library is called by one thread at a time, under
/// one lock, which MPI_THREAD_SERIALIZED asks for.
final class BucketReductions<C: Communicator>: @unchecked Sendable {
  // Unchecked: everything changes under the monitor until the workers are done, and on one thread from then on.

  /// One for each bucket.
  let reductions: [OrderedReduction<C>]

  private let monitor = Monitor()
  /// Buckets whose local sums are complete.
  private var isComplete: [Bool]
  private var started = 0
  private var arrived = 0
  /// What went wrong on a worker's thread, for ``finish(_:into:)`` to throw.
  private var failure: (any Error)?

  init(
    _ communicator: C, ownership: ShardOwnership, buckets: GradientBuckets,
    precision: NodePrecision = .float32
  ) throws {
    reductions = try buckets.ranges.map {
      try OrderedReduction(communicator, ownership: ownership, range: $0, precision: precision)
    }
    isComplete = buckets.ranges.map { _ in false }
  }

  /// Ends a step, after the last ``finish(_:into:)``.
  func reset() {
    for bucket in isComplete.indices { isComplete[bucket] = false }
    started = 0
    arrived = 0
  }

  /// Sends a bucket whose local sums are complete, as soon as those before it have gone. From any thread.
  func start(_ bucket: Int, roots: [UnsafePointer<Float>]) {
    monitor.withLock {
      isComplete[bucket] = true
      while started < reductions.count && isComplete[started] && failure == nil {
        do { try reductions[started].start(roots: roots) } catch { failure = error }
        started += 1
      }
    }
  }

  /// Sends all buckets that have not gone yet.
  func startAll(roots: [UnsafePointer<Float>]) throws {
    if let failure { throw failure }
    while started < reductions.count {
      try reductions[started].start(roots: roots)
      started += 1
    }
  }

  /// Moves what is under way on, unless another thread does. From any thread.
  func progress() {
    monitor.withLockIfFree {
      guard arrived < started && failure == nil else { return }
      // One request moves all of them; the first that has not arrived is the one that says something new.
      do { if try reductions[arrived].test() { arrived += 1 } } catch { failure = error }
    }
  }

  /// Waits for a bucket, after the backward pass, and sums this rank's slice of it.
  func finish(_ bucket: Int, into sum: UnsafeMutablePointer<Float>) throws {
    if let failure { throw failure }
    try reductions[bucket].finish(into: sum)
  }

  /// Waits for all buckets of a step that is not to be made.
  func discard() throws {
    if let failure { throw failure }
    for reduction in reductions { try reduction.wait() }
    reset()
  }
}
