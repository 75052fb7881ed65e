import Collectives
import Foundation
import Synchronization
import Testing
import Training

/// Watchdogs of several ranks in this process, talking through memory. Three seconds are an age for
/// a thread that only has to wake up.
@Suite struct WatchdogTests {
  /// Heartbeats on their way between ranks; one that is cut off neither sends nor receives.
  final class Wires: Sendable {
    private let boxes: Mutex<[[(from: Int, beat: Heartbeat)]]>
    private let cut: Mutex<Set<Int>> = Mutex([])

    init(ranks: Int) { boxes = Mutex(Array(repeating: [], count: ranks)) }

    func cutOff(_ rank: Int) { cut.withLock { _ = $0.insert(rank) } }

    func isCut(_ rank: Int) -> Bool { cut.withLock { $0.contains(rank) } }

    func put(_ beat: Heartbeat, from: Int, to rank: Int) { boxes.withLock { $0[rank].append((from, beat)) } }

    func take(_ rank: Int) -> (from: Int, beat: Heartbeat)? {
      boxes.withLock { $0[rank].isEmpty ? nil : $0[rank].removeFirst() }
    }
  }

  struct Channel: HeartbeatChannel {
    let rank: Int
    let wires: Wires

    func send(_ beat: Heartbeat, to other: Int) -> Bool {
      if !wires.isCut(rank) && !wires.isCut(other) { wires.put(beat, from: rank, to: other) }
      return true
    }

    func receive() -> (from: Int, beat: Heartbeat)? { wires.isCut(rank) ? nil : wires.take(rank) }
  }

  /// What watchdogs have said, and who.
  final class Lines: Sendable {
    private let lines = Mutex<[(rank: Int, text: String)]>([])
    private let semaphore = DispatchSemaphore(value: 0)

    func add(_ text: String, of rank: Int) {
      lines.withLock { $0.append((rank, text)) }
      semaphore.signal()
    }

    func waitForOne() -> (rank: Int, text: String)? {
      semaphore.wait()
      return lines.withLock { $0.first }
    }

    var count: Int { lines.withLock { $0.count } }
  }

  let activities = (0..<3).map { _ in Activity() }
  let wires = Wires(ranks: 3)
  let lines = Lines()

  func start(_ ranks: [Int], timeout: Double = 3) -> [Watchdog] {
    ranks.map { rank in
      Watchdog(
        activities[rank], Channel(rank: rank, wires: wires), rank: rank, hosts: ["a", "b", "b"],
        timeout: timeout
      ) { [lines] in lines.add($0, of: rank) }
    }
  }

  /// Rank 2 hangs while the others wait for it: only rank 0 speaks.
  @Test("a rank that hangs while others wait for it is named by rank 0") func hanging() throws {
    for rank in [0, 1] { activities[rank].note(.gradientExchange, step: 5) }
    activities[2].note(.computing, step: 5)
    let (activities, ended) = (activities, DispatchSemaphore(value: 0))
    let watchdogs = start([0, 1, 2])
    for rank in [0, 1] {
      // The threads that wait in the exchange.
      DispatchQueue.global().async { activities[rank].waiting { ended.wait() } }
    }
    let line = try #require(lines.waitForOne())
    for _ in [0, 1] { ended.signal() }
    #expect(line.rank == 0)
    #expect(
      line.text.hasPrefix(
        "rank 2 on b has not moved for 3 s (last seen in step 5, computing); ranks 0, 1 wait"))
    for watchdog in watchdogs { watchdog.stop() }
    #expect(lines.count == 1)
  }

  @Test("a rank that is cut off is named by rank 0") func cutOff() throws {
    let watchdogs = start([0, 1])
    let line = try #require(lines.waitForOne())
    #expect(line.rank == 0)
    #expect(line.text.contains("rank 2 on b has not been heard of for 3 s"))
    for watchdog in watchdogs { watchdog.stop() }
  }

  /// Without rank 0 the first of the others speaks, and only that one in the time it takes to end a job.
  @Test("rank 0 is named by the first of the others that notices") func rankZero() throws {
    wires.cutOff(0)
    let watchdogs = start([1, 2])
    let line = try #require(lines.waitForOne())
    #expect(line.text.hasPrefix("rank 0 on a has not been heard of for 3 s"))
    for watchdog in watchdogs { watchdog.stop() }
  }

  /// A rank that only ever advances, and never does anything else, is alive.
  @Test("a rank that only ever advances is alive") func slowWork() {
    let (activities, done) = (activities, DispatchSemaphore(value: 0))
    for activity in activities { activity.note(.validation, step: 1) }
    let watchdogs = start([0, 1, 2])
    let isOver = DispatchTime.now() + 6
    DispatchQueue.global().async {
      while DispatchTime.now() < isOver {
        for activity in activities { activity.advance() }
        usleep(100_000)
      }
      done.signal()
    }
    done.wait()
    for watchdog in watchdogs { watchdog.stop() }
    #expect(lines.count == 0)
  }

  @Test("an activity tells reading, waiting and moving from each other") func noted() {
    let activity = Activity()
    activity.note(.computing, step: 3)
    #expect(activity.operation == .computing && activity.step == 3 && !activity.isWaiting)
    let before = activity.movement
    activity.reading { #expect(activity.operation == .readingData) }
    #expect(activity.operation == .computing)
    activity.note(.lossSum)
    activity.waiting { #expect(activity.isWaiting && activity.operation == .lossSum) }
    #expect(!activity.isWaiting && activity.step == 3)
    #expect(activity.movement > before)
  }
}
