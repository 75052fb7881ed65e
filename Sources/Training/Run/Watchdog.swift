import Collectives
import Diagnostics
import Dispatch
import Foundation

/// Ends a job that has stopped moving, and says who is missing.
///
/// A thread on each rank tells rank 0, about once a second, what the rank is doing and for how long it has not moved;
/// rank 0 answers. When a rank is stopped, hangs or is gone, rank 0 names it and ends the job with status 76; when
/// that is rank 0 itself, the lowest rank that notices does. (After Horovod's stall inspector; see also
/// pytorch/pytorch#118369 for what it is like without the name.)
package final class Watchdog: Sendable {
  /// What a watchdog does about a stall: says the line, and ends the job.
  package typealias OnStall = @Sendable (_ message: String) -> Void

  private let activity: Activity
  private let channel: any HeartbeatChannel
  private let rank: Int
  private let hosts: [String]
  private let timeout: Double
  private let onStall: OnStall
  private let stopping = DispatchSemaphore(value: 0)
  private let stopped = DispatchSemaphore(value: 0)

  /// Seconds between two heartbeats.
  private var interval: Double { min(1, timeout / 6) }

  /// Starts watching over a training run. Collective.
  ///
  /// - Parameters:
  ///   - timeout: seconds after which a rank that does not move is missing; 0 watches nobody.
  ///   - noting: what else is told of a stall, on its way to the end.
  /// - Returns: `nil` where there is nothing to watch: alone, and in a communicator within one process.
  static func start<C: Communicator>(
    _ communicator: C, timeout: Double, console: Console, noting: @escaping OnStall
  ) throws -> Watchdog? {
    guard timeout > 0, communicator.size > 1, let activity = communicator.activity else { return nil }
    guard let channel = try communicator.openHeartbeats() else {
      console.warning("a stalled run will not be noticed: this MPI does not grant MPI_THREAD_MULTIPLE")
      return nil
    }
    let hosts = try communicator.allGather(text: communicator.hostName)
    return Watchdog(activity, channel, rank: communicator.rank, hosts: hosts, timeout: timeout) { message in
      noting(message)
      Console(talks: true).error(Failure(.rankLost, message))
      communicator.abort(status: Failure.Kind.rankLost.rawValue)
    }
  }

  /// Starts the thread of one rank.
  ///
  /// - Parameter hosts: the name of every rank's host.
  package init(
    _ activity: Activity, _ channel: any HeartbeatChannel, rank: Int, hosts: [String], timeout: Double,
    onStall: @escaping OnStall
  ) {
    self.activity = activity
    self.channel = channel
    self.rank = rank
    self.hosts = hosts
    self.timeout = timeout
    self.onStall = onStall
    Thread.detachNewThread { [self] in
      watch()
      stopped.signal()
    }
  }

  /// Ends the thread, and tells the others that this rank will not be heard of any more.
  package func stop() {
    stopping.signal()
    stopped.wait()
  }

  // MARK: The thread

  private func watch() {
    var clock = AwakeClock(longest: 2 * interval)
    var pulse = Pulse(activity)
    var ledger = WatchdogLedger(ranks: watched, timeout: patience, at: clock.now)
    do {
      while stopping.wait(timeout: .now() + interval) == .timedOut {
        clock.read()
        let beat = pulse.beat(at: clock.now)
        try send(beat)
        ledger.hear(beat, from: rank, at: clock.now)
        while let (sender, beat) = try channel.receive() { ledger.hear(beat, from: sender, at: clock.now) }
        guard let stall = ledger.stall(at: clock.now) else { continue }
        // Others judge rank 0 only, and leave the rest to it.
        if rank != 0 && stall.silent.isEmpty { continue }
        onStall(stall.message(hosts: hosts, timeout: timeout))
        return
      }
      var last = pulse.beat(at: clock.now)
      last.isLast = true
      try send(last)
    } catch {
      // Without the heartbeats the run is what it was before there was a watchdog.
      Console(talks: rank == 0).warning("the watchdog has ended: \(error)")
    }
  }

  private func send(_ beat: Heartbeat) throws(Failure) {
    if rank == 0 {
      for other in hosts.indices.dropFirst() { try channel.send(beat, to: other) }
    } else {
      try channel.send(beat, to: 0)
    }
  }

  /// The ranks this one listens to: rank 0 to all, the others to rank 0. And to itself, to say where it waits.
  private var watched: [Int] { rank == 0 ? Array(hosts.indices) : [0, rank] }

  /// When rank 0 is missing, the others speak up one after the other, so that one line is said: first those that lead
  /// a host, because rank 0's host may be gone with all its ranks.
  private var patience: Double {
    guard rank > 0 else { return timeout }
    let leads = { (rank: Int) in self.hosts.dropFirst().firstIndex(of: self.hosts[rank]) == rank }
    let order = (1..<hosts.count).filter(leads) + (1..<hosts.count).filter { !leads($0) }
    return timeout + 2 * interval * Double(order.firstIndex(of: rank) ?? 0)
  }
}

/// Seconds in which this process ran: time in which it was itself stopped, or its machine asleep, does not count, so
/// that a job that was stopped as a whole goes on when it is let go on.
private struct AwakeClock {
  private(set) var now = 0.0
  private let longest: Double
  private var last = Console.monotonicSeconds()

  /// - Parameter longest: the most that passes between two looks at the clock of a process that runs.
  init(longest: Double) { self.longest = longest }

  mutating func read() {
    let time = Console.monotonicSeconds()
    now += min(time - last, longest)
    last = time
  }
}

/// Makes heartbeats of an activity: remembers when it last moved.
private struct Pulse {
  private let activity: Activity
  private var movement: UInt64?
  private var moved = 0.0

  init(_ activity: Activity) { self.activity = activity }

  mutating func beat(at time: Double) -> Heartbeat {
    let current = activity.movement
    if current != movement {
      movement = current
      moved = time
    }
    return Heartbeat(
      step: activity.step, operation: activity.operation, isWaiting: activity.isWaiting,
      stillness: time - moved)
  }
}
