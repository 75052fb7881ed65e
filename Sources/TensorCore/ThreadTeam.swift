import Glibc

/// A fixed team of threads of which a limited number runs at a time.
///
/// One worker carries one shard through the network. There may be more workers than processors: a worker starts
/// when it gets one of the team's permits and keeps it until it is done or waits in ``pause(until:)``, so the
/// processors are never shared by two workers of a team, and a worker that must wait for others gives way to them.
public final class ThreadTeam: Sendable {
  /// Number of workers.
  public let workers: Int
  /// How many of them run at a time.
  public let permits: Int

  private let roster: Roster
  private let threads: [pthread_t]

  /// Starts `workers` threads, at most `permits` of which run at a time.
  public init(workers: Int, permits: Int) {
    precondition(workers >= 0 && permits >= 1)
    self.workers = workers
    self.permits = min(permits, max(1, workers))
    let roster = Roster(permits: self.permits)
    self.roster = roster
    threads = (0..<workers).map { index in startThread { roster.work(index) } }
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
    roster.run(work, workers: workers)
  }

  /// Calls `body(item, worker)` for every item in `0 ..< count`, each on whichever worker is free.
  public func forEach(_ count: Int, _ body: (_ item: Int, _ worker: Int) -> Void) {
    var next = 0
    run { worker in
      while true {
        let item = roster.monitor.withLock {
          defer { next += 1 }
          return next
        }
        guard item < count else { return }
        body(item, worker)
      }
    }
  }

  /// Waits, called by a worker, until `condition` holds, while another worker takes its permit. The condition is
  /// examined under the team's lock, and again after each ``update(_:)``.
  public func pause(until condition: () -> Bool) { roster.pause(until: condition) }

  /// Changes, under the team's lock, what the conditions of paused workers look at.
  public func update<Result>(_ body: () -> Result) -> Result {
    roster.monitor.withLock {
      defer { roster.monitor.wakeAll() }
      return body()
    }
  }
}

/// Something for every worker of a team to do.
public final class TeamWork {
  fileprivate let body: (Int) -> Void

  /// - Parameter body: called once by each worker, with its number.
  public init(_ body: @escaping (Int) -> Void) { self.body = body }
}

/// What the threads of a team share; apart from the team, so that a running thread does not keep the team alive.
private final class Roster: @unchecked Sendable {
  // Unchecked: everything below is read and written under the monitor. `work` is lent to the workers between the
  // start and the end of one round.
  let monitor = Monitor()
  private var freePermits: Int
  private var round = 0
  private var unfinished = 0
  private var isClosing = false
  private var work: Unmanaged<TeamWork>?

  init(permits: Int) { freePermits = permits }

  func run(_ work: TeamWork, workers: Int) {
    monitor.withLock {
      self.work = Unmanaged.passUnretained(work)
      unfinished = workers
      round += 1
      monitor.wakeAll()
      while unfinished > 0 { monitor.wait() }
      self.work = nil
    }
  }

  func close() {
    monitor.withLock {
      isClosing = true
      monitor.wakeAll()
    }
  }

  func pause(until condition: () -> Bool) {
    monitor.withLock {
      guard !condition() else { return }
      freePermits += 1
      monitor.wakeAll()
      while !condition() || freePermits == 0 { monitor.wait() }
      freePermits -= 1
    }
  }

  /// The life of one thread.
  func work(_ index: Int) {
    var done = 0
    while let work = nextRound(after: &done) {
      call(work, index)
      monitor.withLock {
        freePermits += 1
        unfinished -= 1
        monitor.wakeAll()
      }
    }
  }

  // Not inlined: when it returns, the thread holds no reference to the closure, which may then end its life.
  @inline(never)
  private func call(_ work: Unmanaged<TeamWork>, _ index: Int) {
    work._withUnsafeGuaranteedRef { $0.body(index) }
  }

  private func nextRound(after done: inout Int) -> Unmanaged<TeamWork>? {
    monitor.withLock {
      while !isClosing && (round == done || freePermits == 0) { monitor.wait() }
      guard !isClosing else { return nil }
      done = round
      freePermits -= 1
      return work
    }
  }
}
