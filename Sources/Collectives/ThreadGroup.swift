import Diagnostics
import Glibc
import Threads

/// Ranks as threads of one process: every distributed training and test runs with it, without `mpirun`.
///
/// Threads that wait sleep. What each rank lends to the others is copied by whichever of the two comes second, so
/// exchanges move on without `test`. When a rank throws, leaves or aborts, the others' next (or present) call
/// throws; buffers of an exchange in flight must then still be there, as for MPI.
public struct ThreadGroup: Communicator {
  /// An exchange, numbered as its rank started it.
  public struct Request: ExchangeRequest {
    fileprivate var sequence: Int?
    fileprivate var lane = ExchangeLane.main
    /// A completed request.
    public init() { sequence = nil }
  }

  /// This thread's number.
  public let rank: Int
  /// The number of threads.
  public var size: Int { shared.size }
  /// This machine.
  public let hostName: String
  let shared: ThreadGroupState

  /// Runs `body` as `size` ranks, each a thread, and returns what they return, in rank order.
  ///
  /// - Throws: what the lowest rank that failed by itself threw. The other ranks meet, in their next call, a
  ///   `Failure` of the same kind that names the rank which stopped.
  public static func run<T: Sendable>(
    size: Int, _ body: @escaping @Sendable (ThreadGroup) throws -> T
  ) throws -> [T] {
    precondition(size > 0, "a group of \(size) ranks")
    let shared = ThreadGroupState(size: size)
    let outcomes = Outcomes<T>(size: size)
    let hostName = machineName()
    for rank in 0..<size {
      let started = startDetachedThread {
        let group = ThreadGroup(rank: rank, hostName: hostName, shared: shared)
        let outcome = Result { try body(group) }
        outcomes.record(outcome, of: rank)
        shared.leave(rank, with: outcome)
      }
      if !started {
        shared.leave(
          rank,
          with: Result<T, any Error>.failure(Failure(.internalError, "no thread to be had for rank \(rank)")))
      }
    }
    if let failure = shared.waitForAll() { throw failure }
    return outcomes.values()
  }

  /// Returns when every rank has called it.
  public func barrier() throws(Failure) { try shared.barrier(rank) }

  /// Copies rank `root`'s bytes.
  public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) throws(Failure) {
    precondition(0 <= root && root < size, "rank \(root) of \(size)")
    try shared.lend(UnsafeRawBufferPointer(bytes), by: rank) { lent throws(Failure) in
      guard lent[root].count == bytes.count else {
        throw Failure(
          .internalError,
          "rank \(root) broadcasts \(lent[root].count) bytes, rank \(rank) expects \(bytes.count)")
      }
      if rank != root { bytes.copyMemory(from: lent[root]) }
    }
  }

  /// Copies every rank's bytes.
  public func allGather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int]
  ) throws(Failure) {
    try collect(mine, into: all, counts: counts, here: true)
  }

  /// Copies every rank's bytes on rank `root`.
  public func gather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int], root: Int
  ) throws(Failure) {
    try collect(mine, into: all, counts: counts, here: rank == root)
  }

  private func collect(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int], here: Bool
  ) throws(Failure) {
    precondition(counts.count == size && mine.count == counts[rank], "\(mine.count) bytes, counts \(counts)")
    precondition(!here || all.count >= counts.reduce(0, +), "\(all.count) bytes for counts \(counts)")
    try shared.lend(mine, by: rank) { lent throws(Failure) in
      guard here else { return }
      var offset = 0
      for peer in 0..<size {
        guard lent[peer].count == counts[peer] else {
          throw Failure(
            .internalError,
            "rank \(peer) gives \(lent[peer].count) bytes, rank \(rank) expects \(counts[peer])")
        }
        UnsafeMutableRawBufferPointer(rebasing: all[offset..<offset + counts[peer]]).copyMemory(
          from: lent[peer])
        offset += counts[peer]
      }
    }
  }

  /// Copies to and from the ranks that have started already; those that come later copy the rest.
  public func startAllToAll(
    _ plan: ExchangePlan, send: UnsafePointer<Float>, receive: UnsafeMutablePointer<Float>
  ) throws(Failure) -> Request {
    precondition(plan.ranks == size, "a plan for \(plan.ranks) ranks in a group of \(size)")
    precondition(send != UnsafePointer(receive), "an all-to-all is not in place")
    var request = Request()
    request.sequence = try shared.start(Contribution(allToAll: plan, send, receive), of: rank, lane: .main)
    return request
  }

  /// Copies to and from the ranks that have started already; those that come later copy the rest.
  public func startAllGather(
    _ plan: GatherPlan, inPlace values: UnsafeMutablePointer<Float>, lane: ExchangeLane
  ) throws(Failure) -> Request {
    precondition(plan.ranks == size, "a plan for \(plan.ranks) ranks in a group of \(size)")
    var request = Request()
    request.lane = lane
    request.sequence = try shared.start(Contribution(allGather: plan, values), of: rank, lane: lane)
    return request
  }

  /// True when all copies to and from this rank have been made.
  public func test(_ request: inout Request) throws(Failure) -> Bool {
    guard let sequence = request.sequence else { return true }
    guard try shared.finished(sequence, of: rank, lane: request.lane) else { return false }
    request.sequence = nil
    return true
  }

  /// Sleeps until all copies to and from this rank have been made.
  public func wait(_ request: inout Request) throws(Failure) {
    guard let sequence = request.sequence else { return }
    try shared.finish(sequence, of: rank, lane: request.lane)
    request.sequence = nil
  }

  /// Each rank sums a part in rank order and writes it to all.
  public func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(Failure) {
    try shared.lend(UnsafeRawBufferPointer(values), by: rank) { lent throws(Failure) in
      for peer in 0..<size where lent[peer].count != lent[rank].count {
        throw Failure(
          .internalError,
          "rank \(peer) sums \(lent[peer].count / 4) floats, rank \(rank) \(values.count)")
      }
      let part = (values.count * rank / size)..<(values.count * (rank + 1) / size)
      guard let total = partLent(lent[0], part) else { return }
      for peer in 1..<size {
        guard let other = partLent(lent[peer], part) else { return }
        add(total, other, into: total, count: part.count)
      }
      for peer in 1..<size { partLent(lent[peer], part)?.update(from: total, count: part.count) }
    }
  }

  /// A part of the values that a rank's own `allReduceSum` lent as mutable floats.
  private func partLent(_ bytes: UnsafeRawBufferPointer, _ part: Range<Int>) -> UnsafeMutablePointer<Float>? {
    guard let start = bytes.baseAddress else { return nil }
    return UnsafeMutablePointer(mutating: start.assumingMemoryBound(to: Float.self) + part.lowerBound)
  }

  /// Ends the group: `run` and the other ranks throw. This thread sleeps for ever, as it may not return.
  public func abort(status: Int32) -> Never {
    let kind = Failure.Kind(rawValue: status) ?? .internalError
    shared.leave(
      rank,
      with: Result<Never, any Error>.failure(Failure(kind, "rank \(rank) aborted with status \(status)")))
    while true { _ = pause() }
  }
}

/// What the ranks returned.
///
/// `@unchecked Sendable`: everything is under the monitor.
private final class Outcomes<T: Sendable>: @unchecked Sendable {
  private let monitor = Monitor()
  private var outcomes: [Result<T, any Error>?]

  init(size: Int) { outcomes = Array(repeating: nil, count: size) }

  func record(_ outcome: Result<T, any Error>, of rank: Int) { monitor.withLock { outcomes[rank] = outcome } }

  /// After all ranks have succeeded.
  func values() -> [T] {
    monitor.withLock {
      outcomes.map { outcome in
        guard case .success(let value)? = outcome else { preconditionFailure("a rank failed unnoticed") }
        return value
      }
    }
  }
}
