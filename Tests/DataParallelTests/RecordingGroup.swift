import Collectives
import Diagnostics
import Synchronization

/// A rank of a group of threads that remembers which exchanges it started, and what the rank did at that moment.
struct RecordingGroup: Communicator {
  typealias Request = ThreadGroup.Request

  /// An exchange that was started.
  struct Start: Equatable, Sendable {
    enum Kind: Sendable { case allToAll, allGather }

    let kind: Kind
    let lane: ExchangeLane
    /// What the rank had noted to be doing.
    let during: Activity.Operation
  }

  let activity: Activity?
  private let group: ThreadGroup
  private let log = Log()

  init(_ group: ThreadGroup) {
    self.group = group
    activity = Activity()
  }

  /// What has been started since this was asked last, in order.
  func takeStarts() -> [Start] { log.take() }

  var rank: Int { group.rank }
  var size: Int { group.size }
  var hostName: String { group.hostName }

  func barrier() throws(Failure) { try group.barrier() }

  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) throws(Failure) {
    try group.broadcast(bytes, root: root)
  }

  func allGather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int]
  ) throws(Failure) {
    try group.allGather(mine, into: all, counts: counts)
  }

  func gather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int], root: Int
  ) throws(Failure) {
    try group.gather(mine, into: all, counts: counts, root: root)
  }

  func startAllToAll(
    _ plan: ExchangePlan, send: UnsafePointer<Float>, receive: UnsafeMutablePointer<Float>
  ) throws(Failure) -> Request {
    record(.allToAll, .main)
    return try group.startAllToAll(plan, send: send, receive: receive)
  }

  func startAllGather(
    _ plan: GatherPlan, inPlace values: UnsafeMutablePointer<Float>, lane: ExchangeLane
  ) throws(Failure) -> Request {
    record(.allGather, lane)
    return try group.startAllGather(plan, inPlace: values, lane: lane)
  }

  func test(_ request: inout Request) throws(Failure) -> Bool { try group.test(&request) }
  func wait(_ request: inout Request) throws(Failure) { try group.wait(&request) }

  func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(Failure) {
    try group.allReduceSum(values)
  }

  func abort(status: Int32) -> Never { group.abort(status: status) }

  private func record(_ kind: Start.Kind, _ lane: ExchangeLane) {
    log.append(Start(kind: kind, lane: lane, during: activity?.operation ?? .starting))
  }

  private final class Log: Sendable {
    private let starts = Mutex<[Start]>([])

    func append(_ start: Start) { starts.withLock { $0.append(start) } }

    func take() -> [Start] {
      starts.withLock { starts in
        defer { starts = [] }
        return starts
      }
    }
  }
}
