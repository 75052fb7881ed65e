import Glibc
import Threads

/// A fixed team of threads of which a limited number runs at a time.
///
/// One worker carries one shard through the network. There may be more workers than processors: a worker starts
/// when it gets one of the team's seats and keeps it until it is done or waits in ``meet(_:last:)``, so the
/// processors are never shared by two workers of a team, and a worker that must wait for others gives way to them.
public final class ThreadTeam: Sendable {
  /// Number of workers.
  public let workers: Int
  /// How many of them run at a time.
  public let seats: Int

  private let roster: TeamRoster
  private let threads: [pthread_t]

  /// Starts `workers` threads, at most `seats` of which run at a time.
  public init(workers: Int, seats: Int) {
    precondition(workers >= 0 && seats >= 1)
    self.workers = workers
    self.seats = min(seats, max(1, workers))
    let roster = TeamRoster(workers: workers, seats: self.seats)
    self.roster = roster
    threads = (0..<workers).map { index in
      guard let thread = startThread({ roster.live(index) }) else {
        preconditionFailure("the system has no thread to give for worker \(index) of \(workers)")
      }
      return thread
    }
  }

  deinit {
    roster.close()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// Calls `body(worker)` once on every worker and returns when all have returned.
  public func run(_ body: (Int) -> Void) {
    withoutActuallyEscaping(body) { run(TeamWork($0)) }
  }

  /// Like ``run(_:)``, with work that was made before: to lend a closure to other threads takes memory.
  public func run(_ work: TeamWork) {
    guard workers > 0 else { return }
    roster.run(work)
  }

  /// Calls `body(item, worker)` for every item in `0 ..< count`, each on whichever worker is free.
  public func forEach(_ count: Int, _ body: (_ item: Int, _ worker: Int) -> Void) {
    var next = 0
    run { worker in
      while true {
        let item = withLock {
          defer { next += 1 }
          return next
        }
        guard item < count else { return }
        body(item, worker)
      }
    }
  }

  /// Where all workers of a run wait for each other: the last to come runs `last`, then all go on. Those that wait
  /// leave their seats to others.
  ///
  /// - Parameter worker: who comes.
  public func meet(_ worker: Int, last: () -> Void) { roster.meet(worker, last: last) }

  /// Runs `body` while no other worker is in here.
  public func withLock<Result>(_ body: () -> Result) -> Result { roster.monitor.withLock(body) }
}

/// Something for every worker of a team to do.
public final class TeamWork {
  let body: (Int) -> Void

  /// - Parameter body: called once by each worker, with its number.
  public init(_ body: @escaping (Int) -> Void) { self.body = body }
}
