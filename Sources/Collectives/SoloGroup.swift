import Diagnostics
import Glibc

/// One process on its own: every call is a copy to itself, or nothing.
public struct SoloGroup: Communicator {
  /// Exchanges with oneself complete at once.
  public struct Request: ExchangeRequest {
    /// A completed request.
    public init() {}
  }

  /// 0.
  public let rank = 0
  /// 1.
  public let size = 1
  /// This machine.
  public let hostName: String

  /// A group of this process alone.
  public init() { hostName = machineName() }

  /// Returns at once.
  public func barrier() throws(Failure) {}

  /// Nobody else to copy to.
  public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) throws(Failure) {
    precondition(root == 0, "rank \(root) of 1")
  }

  /// Copies `mine` to `all`.
  public func allGather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int]
  ) throws(Failure) {
    precondition(counts == [mine.count], "\(mine.count) bytes, counts \(counts)")
    all.copyMemory(from: mine)
  }

  /// Copies `mine` to `all`.
  public func gather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int], root: Int
  ) throws(Failure) {
    try allGather(mine, into: all, counts: counts)
  }

  /// Copies the block for rank 0.
  public func startAllToAll(
    _ plan: ExchangePlan, send: UnsafePointer<Float>, receive: UnsafeMutablePointer<Float>
  ) throws(Failure) -> Request {
    precondition(plan.ranks == 1 && plan.sendCounts[0] == plan.receiveCounts[0], "a plan for one rank")
    precondition(send != UnsafePointer(receive), "an all-to-all is not in place")
    (receive + Int(plan.receiveOffsets[0])).update(
      from: send + Int(plan.sendOffsets[0]), count: Int(plan.sendCounts[0]))
    return Request()
  }

  /// The only block is in place.
  public func startAllGather(
    _ plan: GatherPlan, inPlace values: UnsafeMutablePointer<Float>, lane: ExchangeLane
  ) throws(Failure) -> Request {
    precondition(plan.ranks == 1, "a plan for one rank")
    return Request()
  }

  /// True.
  public func test(_ request: inout Request) throws(Failure) -> Bool { true }

  /// Returns at once.
  public func wait(_ request: inout Request) throws(Failure) {}

  /// The sum over one rank.
  public func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(Failure) {}

  /// Ends the process with this exit status.
  public func abort(status: Int32) -> Never { exit(status) }
}

/// The name of this machine, as the kernel has it.
func machineName() -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { name in
    name.initialize(repeating: 0)
    guard let start = name.baseAddress, gethostname(start, name.count - 1) == 0 else { return "unknown" }
    return String(cString: start)
  }
}
