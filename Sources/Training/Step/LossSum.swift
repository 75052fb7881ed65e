import Collectives
import Diagnostics

/// What all ranks must know of a batch before any of them updates, summed over its slices.
///
/// Not for use from two threads at a time.
final class LossSum<C: Communicator> {
  /// Of a slice, or of all.
  struct Values: BitwiseCopyable {
    /// Sum over the samples.
    var loss: Float = 0
    /// Samples whose largest logit is the label's.
    var correct: Float = 0
    /// Slices that could not be filled.
    var failures: Float = 0
    /// Slices whose rank wants to stop after this step.
    var requestsToStop: Float = 0

    /// Whether the step may be made.
    var isSound: Bool { failures == 0 && loss.isFinite }
  }

  /// This rank's slices; one where it has none, which counts for nothing.
  private let slices: UnsafeMutableBufferPointer<Values>
  private let sum: OrderedSum<C>
  private var reported = 0
  private var total = Values()

  private enum Stage { case open, underWay, known }
  private var stage = Stage.open

  /// Whether it has been started and not been ended.
  var isUnderWay: Bool { stage == .underWay }
  /// What is known of the whole batch, once it is.
  var known: Values? { stage == .known ? total : nil }

  init(_ communicator: C, ownership: ShardOwnership) throws(Failure) {
    let count = ownership.shards(of: communicator.rank).count
    slices = .allocate(capacity: max(1, count))
    slices.initialize(repeating: Values())
    sum = try OrderedSum(
      communicator, ownership: ownership, count: MemoryLayout<Values>.size / MemoryLayout<Float>.size)
  }

  deinit { slices.deallocate() }

  /// Begins a step.
  func reset() {
    reported = 0
    stage = .open
  }

  /// Takes what is known of a slice before its backward pass.
  ///
  /// - Returns: whether it was the last one of this rank: the sum may start.
  func report(_ slice: Int, _ values: Values) -> Bool {
    slices[slice] = values
    reported += 1
    return reported == slices.count
  }

  /// Sends this rank's slices, unless they have gone.
  func start() throws(Failure) {
    guard stage == .open else { return }
    try floats(of: slices.baseAddress!) { values throws(Failure) in try sum.start(values) }
    stage = .underWay
  }

  /// Moves the sum on, and ends it when all have sent theirs.
  func test() throws(Failure) {
    if stage == .underWay, try sum.test() { _ = try wait() }
  }

  /// What is known of the whole batch, waited for; on every rank the same.
  func wait() throws(Failure) -> Values {
    try start()
    guard stage == .underWay else { return total }
    try withUnsafeMutablePointer(to: &total) { total throws(Failure) in
      try floats(of: total) { total throws(Failure) in try sum.finish(into: total) }
    }
    stage = .known
    return total
  }

  /// This rank's slices whose own loss is not finite.
  var nonFiniteSlices: [Int] { slices.indices.filter { !slices[$0].loss.isFinite } }

  private func floats(
    of values: UnsafeMutablePointer<Values>,
    _ body: (UnsafeMutablePointer<Float>) throws(Failure) -> Void
  ) throws(Failure) {
    try body(UnsafeMutableRawPointer(values).assumingMemoryBound(to: Float.self))
  }
}
