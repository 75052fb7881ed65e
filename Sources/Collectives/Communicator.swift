import Diagnostics

/// A group of processes (or threads) that compute together: the few MPI calls this project needs.
///
/// Every call but `test`, `wait` and `abort` is collective: all ranks make the same calls in the same order (of each
/// ``ExchangeLane``) with counts that fit together. Calls may come from different threads, one at a time. Arguments
/// that are wrong on this rank alone are programming errors and trap; what goes wrong between ranks throws.
///
/// Nothing in the calls of a training step (`startAllToAll`, `startAllGather`, `test`, `wait`, `allReduceSum`)
/// allocates here (Open MPI itself does, a little): counts and offsets live in plans built once.
public protocol Communicator: Sendable {
  /// A non-blocking exchange in flight, or a completed one.
  associatedtype Request: ExchangeRequest

  /// This process's number, `0 ..< size`.
  var rank: Int { get }
  /// How many processes take part.
  var size: Int { get }
  /// The name of the machine this rank runs on.
  var hostName: String { get }
  /// Where this rank notes what it is doing; `nil` when nobody looks, as in a group within one process.
  var activity: Activity? { get }

  /// Returns when every rank has called it.
  func barrier() throws(Failure)

  /// Copies `bytes` of rank `root` into `bytes` of every other rank; the same count everywhere.
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) throws(Failure)

  /// Every rank's bytes, one after the other in rank order, on every rank.
  ///
  /// - Parameters:
  ///   - mine: `counts[rank]` bytes; must not overlap `all`.
  ///   - all: at least `counts.reduce(0, +)` bytes.
  ///   - counts: bytes from each rank, the same array on all ranks.
  func allGather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int]
  ) throws(Failure)

  /// Like `allGather`, on rank `root` only; the other ranks' `all` is not touched and may be empty.
  func gather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int], root: Int
  ) throws(Failure)

  /// Starts sending a block of floats to every rank and receiving one from each (MPI_Ialltoallv).
  ///
  /// The plan and both buffers must stay in place until the request has completed; `send` may be read but not
  /// written meanwhile, `receive` neither. The buffers must not overlap, and not be one even when nothing is sent
  /// (Open MPI would take equal addresses for MPI_IN_PLACE, on this rank alone, and hang).
  func startAllToAll(
    _ plan: ExchangePlan, send: UnsafePointer<Float>, receive: UnsafeMutablePointer<Float>
  ) throws(Failure) -> Request

  /// Starts completing `values` on every rank from the block each rank holds (MPI_Iallgatherv, in place).
  ///
  /// The plan and `values` must stay in place, and `values` untouched, until the request has completed.
  func startAllGather(
    _ plan: GatherPlan, inPlace values: UnsafeMutablePointer<Float>, lane: ExchangeLane
  ) throws(Failure) -> Request

  /// Moves communication on; true when `request` has completed (and from then on).
  func test(_ request: inout Request) throws(Failure) -> Bool

  /// Returns when `request` has completed; at once when it had.
  func wait(_ request: inout Request) throws(Failure)

  /// Sums `values` over the ranks, in place, in whatever order the transport likes (MPI_Allreduce).
  func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(Failure)

  /// Opens a way for heartbeats beside all other calls. Collective; once in a process.
  ///
  /// - Returns: `nil` in a group within one process, and when the transport cannot serve two threads at a time.
  func openHeartbeats() throws -> (any HeartbeatChannel)?

  /// Ends every rank of the group at once, as far as the transport can, with this exit status.
  func abort(status: Int32) -> Never
}

/// Calls of one lane come in the same order on all ranks; calls of different lanes in any.
public enum ExchangeLane: Int, CaseIterable, Sendable {
  /// What every rank does at the same place of its work: all calls that do not say otherwise.
  case main
  /// What a rank starts as soon as it can, earlier or later than others between their calls of the main lane.
  case eager
}

/// The handle of a non-blocking exchange.
public protocol ExchangeRequest {
  /// A request that has completed: what a variable holds before its first exchange.
  init()
}
