import Diagnostics
import Threads

/// What the ranks of a `ThreadGroup` share.
///
/// `@unchecked Sendable`: every stored variable is read and written under `monitor`; the memory that ranks lend
/// each other is touched by others only between a lender's entering and leaving a call, or from the start of an
/// exchange to its end.
final class ThreadGroupState: @unchecked Sendable {
  let size: Int
  private let monitor = Monitor()
  /// One for each lane.
  private let exchanges: [ExchangeTable]

  private var barrierArrivals = 0
  private var barrierGeneration = 0
  /// What each rank lends in the collective call it is in. Memory of its own, as peers read it between barriers.
  private let lent: UnsafeMutablePointer<UnsafeRawBufferPointer>

  private var departed: [Bool]
  /// The first failure, as the other ranks meet it: from then on every call throws it.
  private var broken: Failure?
  /// What each rank failed with by itself, not because another had.
  private var failures: [(any Error)?]

  init(size: Int) {
    self.size = size
    exchanges = ExchangeLane.allCases.map { _ in ExchangeTable(ranks: size) }
    departed = Array(repeating: false, count: size)
    failures = Array(repeating: nil, count: size)
    lent = .allocate(capacity: size)
    lent.initialize(repeating: UnsafeRawBufferPointer(start: nil, count: 0), count: size)
  }

  deinit { lent.deallocate() }

  // MARK: Coming and going

  /// A rank's thread has ended; with a failure of its own, the group is broken.
  func leave<T>(_ rank: Int, with outcome: Result<T, any Error>) {
    monitor.withLock {
      departed[rank] = true
      if case .failure(let error) = outcome {
        let failure = error as? Failure
        if broken == nil || failure != broken { failures[rank] = error }
        if broken == nil {
          let message = failure?.message ?? String(describing: error)
          broken = Failure(failure?.kind ?? .internalError, "rank \(rank) stopped: \(message)")
        }
      }
      monitor.wakeAll()
    }
  }

  /// Returns when all ranks have left: what the lowest rank that failed by itself failed with.
  func waitForAll() -> (any Error)? {
    monitor.withLock {
      while departed.contains(false) { monitor.wait() }
      return failures.lazy.compactMap { $0 }.first ?? broken
    }
  }

  /// Under the monitor: throws when the group is broken, or when `rank` waits for one that has left.
  private func requireUnbroken(_ rank: Int, waitsFor isMissing: (Int) -> Bool) throws(Failure) {
    if broken == nil, let gone = (0..<size).first(where: { departed[$0] && isMissing($0) }) {
      broken = Failure(.internalError, "rank \(gone) has left the group while rank \(rank) waits for it")
      monitor.wakeAll()
    }
    if let broken { throw broken }
  }

  // MARK: Calls that block

  func barrier(_ rank: Int) throws(Failure) {
    try monitor.withLock { () throws(Failure) in
      try requireUnbroken(rank) { _ in true }
      let generation = barrierGeneration
      barrierArrivals += 1
      if barrierArrivals == size {
        barrierArrivals = 0
        barrierGeneration += 1
        monitor.wakeAll()
      }
      while barrierGeneration == generation {
        monitor.wait()
        if barrierGeneration == generation { try requireUnbroken(rank) { _ in true } }
      }
    }
  }

  /// Lends `bytes` to all ranks while each runs `body`, which may read what any rank has lent.
  func lend(
    _ bytes: UnsafeRawBufferPointer, by rank: Int,
    _ body: (_ lent: UnsafePointer<UnsafeRawBufferPointer>) throws(Failure) -> Void
  ) throws(Failure) {
    monitor.withLock { lent[rank] = bytes }
    try barrier(rank)
    var failure: Failure?
    do { try body(UnsafePointer(lent)) } catch { failure = error }
    // Also after a failure: what this rank has lent must stay until nobody reads it.
    try barrier(rank)
    if let failure {
      breakGroup(failure)
      throw failure
    }
  }

  private func breakGroup(_ failure: Failure) {
    monitor.withLock {
      if broken == nil { broken = failure }
      monitor.wakeAll()
    }
  }

  // MARK: Exchanges

  /// Adds a rank's contribution to its next exchange, and copies to and from the ranks that came before.
  ///
  /// - Returns: the exchange's number.
  func start(_ contribution: Contribution, of rank: Int, lane: ExchangeLane) throws(Failure) -> Int {
    let exchanges = exchanges[lane.rawValue]
    let arrival = try monitor.withLock { () throws(Failure) -> ExchangeTable.Arrival in
      while true {
        try requireUnbroken(rank) { exchanges.blocks(rank, by: $0) }
        if let arrival = exchanges.arrive(contribution, of: rank) { return arrival }
        monitor.wait()
      }
    }
    do {
      try exchanges.copyBetweenEarlier(arrival, and: rank)
    } catch {
      breakGroup(error)
      throw error
    }
    monitor.withLock {
      exchanges.countCopies(of: arrival, of: rank)
      monitor.wakeAll()
    }
    return arrival.sequence
  }

  /// Whether all copies to and from `rank` have been made.
  func finished(_ sequence: Int, of rank: Int, lane: ExchangeLane) throws(Failure) -> Bool {
    let exchanges = exchanges[lane.rawValue]
    return try monitor.withLock { () throws(Failure) in
      if exchanges.isComplete(sequence, for: rank) { return true }
      try requireUnbroken(rank) { !exchanges.hasStarted(sequence, $0) }
      return false
    }
  }

  /// Returns when all copies to and from `rank` have been made.
  func finish(_ sequence: Int, of rank: Int, lane: ExchangeLane) throws(Failure) {
    let exchanges = exchanges[lane.rawValue]
    try monitor.withLock { () throws(Failure) in
      while !exchanges.isComplete(sequence, for: rank) {
        try requireUnbroken(rank) { !exchanges.hasStarted(sequence, $0) }
        monitor.wait()
      }
    }
  }
}
