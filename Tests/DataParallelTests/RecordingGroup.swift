import Collectives
import Diagnostics
import Synchronization
import TestSupport

/// A rank of a group of threads that remembers which exchanges it started, and what the rank did at that moment.
struct RecordingGroup: ForwardingCommunicator {
  /// An exchange that was started.
  struct Start: Equatable, Sendable {
    enum Kind: Sendable { case allToAll, allGather }

    let kind: Kind
    let lane: ExchangeLane
    /// What the rank had noted to be doing.
    let during: Activity.Operation
  }

  let activity: Activity?
  let group: ThreadGroup
  private let log = Log()

  init(_ group: ThreadGroup) {
    self.group = group
    activity = Activity()
  }

  /// What has been started since this was asked last, in order.
  func takeStarts() -> [Start] { log.take() }

  func startAllToAll(
    _ plan: ExchangePlan, send: UnsafePointer<Float>, receive: UnsafeMutablePointer<Float>
  ) throws(Failure) -> ThreadGroup.Request {
    record(.allToAll, .main)
    return try group.startAllToAll(plan, send: send, receive: receive)
  }

  func startAllGather(
    _ plan: GatherPlan, inPlace values: UnsafeMutablePointer<Float>, lane: ExchangeLane
  ) throws(Failure) -> ThreadGroup.Request {
    record(.allGather, lane)
    return try group.startAllGather(plan, inPlace: values, lane: lane)
  }

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
