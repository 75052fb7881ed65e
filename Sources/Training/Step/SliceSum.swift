import Collectives
import Diagnostics
import TensorCore

/// The sum over all slices of the global batch that BatchNorm asks for in the middle of a pass.
///
/// The slices of a rank meet here: the last one to arrive adds its rank's in tree order, exchanges them with the
/// other ranks', and lets the others go on. A waiting slice gives its processor to another.
final class SliceSum<C: Communicator>: @unchecked Sendable {
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
      Console(talks: true).error(
        Failure(
          .internalError,
          "rank \(communicator.rank) on \(communicator.hostName): the sum of BatchNorm's statistics: \(error)"
        ))
      communicator.abort(status: Failure.Kind.internalError.rawValue)
    }
  }

  private func newSum(_ count: Int) throws(Failure) -> OrderedSum<C> {
    let sum = try OrderedSum(communicator, ownership: ownership, count: count)
    sums[count] = sum
    return sum
  }
}
