import Collectives
import Diagnostics
import TensorCore

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

/// The sums over all slices of the global batch that BatchNorm asks for in the middle of a pass.
///
/// The slices of a rank meet here: the last one to arrive adds its rank's in tree order, exchanges them with the
/// other ranks', and lets the others go on. A waiting slice gives its processor to another.
final class BatchNormSums<C: Communicator>: @unchecked Sendable {
  // Unchecked: the values of a slice are its own until all have met, then the last arrival's until it lets all go on.
  private let communicator: C
  private let ownership: ShardOwnership
  private let team: ThreadTeam
  private let slices: Int
  private var sums: [Int: OrderedSum<C>] = [:]
  private let capacity: Int
  private let values: UnsafeMutablePointer<Float>
  private let result: UnsafeMutablePointer<Float>

  /// - Parameters:
  ///   - team: the workers that carry the slices, one each.
  ///   - capacity: the most floats that are summed at once.
  init(_ communicator: C, ownership: ShardOwnership, team: ThreadTeam, capacity: Int) {
    self.communicator = communicator
    self.ownership = ownership
    self.team = team
    slices = ownership.shards(of: communicator.rank).count
    self.capacity = capacity
    values = .allocate(capacity: max(1, slices) * capacity)
    result = .allocate(capacity: capacity)
  }

  deinit {
    values.deallocate()
    result.deallocate()
  }

  /// Replaces `count` floats of local slice `slice` by their sum over all slices of all ranks. Every slice calls it
  /// with the same counts in the same order. A rank without slices takes part with one that contributes nothing.
  ///
  /// - Parameter clock: the slice's, which learns what is an exchange and what is waiting for other slices.
  func reduce(_ floats: UnsafeMutablePointer<Float>, count: Int, slice: Int, clock: PhaseClock) {
    precondition(count <= capacity, "\(count) floats in a sum of at most \(capacity)")
    if slices > 0 { (values + slice * count).update(from: floats, count: count) }
    clock.wait { team.meet(slice) { clock.measure(.exchange) { exchange(count) } } }
    floats.update(from: result, count: count)
  }

  private func exchange(_ count: Int) {
    communicator.activity?.note(.batchNormSum)
    defer { communicator.activity?.note(.computing) }
    do {
      let sum = try sums[count] ?? newSum(count)
      try sum.sum(values, into: result)
    } catch {
      // A pass has no way back from here, and neither have the ranks that wait in the same exchange.
      communicator.abort(
        Failure(.internalError, "the sum of BatchNorm's statistics: \(Failure(describing: error))"))
    }
  }

  private func newSum(_ count: Int) throws(Failure) -> OrderedSum<C> {
    let sum = try OrderedSum(communicator, ownership: ownership, count: count)
    sums[count] = sum
    return sum
  }
}
