import Threads

/// Who of a team has a seat and who waits; apart from the team, so that a running thread does not keep the team alive.
///
/// A seat is handed to one worker, whose thread alone is woken. Each worker has a seat it prefers, and gets another
/// only when that one would stay empty. Where a team fills all processors of its process, a seat is a processor: left
/// to itself, the system often puts two workers that were just woken on one and lets the other idle.
final class TeamRoster: @unchecked Sendable {
  // Unchecked: everything below is read and written under the monitor. `work` is lent to the workers between the
  // start and the end of one round.
  let monitor: Monitor

  private enum Place {
    /// No work, or done with it.
    case idle
    /// Waits for the others of a meeting.
    case meeting
    /// Could go on if it had a seat.
    case ready
    case seated(Int)
  }

  private var places: [Place]
  private var seatIsFree: [Bool]
  /// The processor of each seat; empty when the system chooses.
  private let processors: [Int]
  /// The processor that each worker's thread was bound to last.
  private var bound: [Int?]
  private var arrived = 0
  private var unfinished = 0
  private var isClosing = false
  private var work: Unmanaged<TeamWork>?
  /// The condition that whoever called ``run(_:)`` waits on; a worker waits on the one of its number.
  private let caller: Int

  init(workers: Int, seats: Int) {
    caller = workers
    monitor = Monitor(conditions: workers + 1)
    places = Array(repeating: .idle, count: workers)
    seatIsFree = Array(repeating: true, count: seats)
    let allowed = Processors.allowed()
    processors = allowed.count == seats && seats > 1 ? allowed : []
    bound = Array(repeating: nil, count: workers)
  }

  func run(_ work: TeamWork) {
    monitor.withLock {
      self.work = Unmanaged.passUnretained(work)
      unfinished = places.count
      for worker in places.indices { places[worker] = .ready }
      assignSeats()
      while unfinished > 0 { monitor.wait(on: caller) }
      self.work = nil
    }
  }

  func close() {
    monitor.withLock {
      isClosing = true
      for worker in places.indices { monitor.wakeAll(on: worker) }
    }
  }

  func meet(_ worker: Int, last: () -> Void) {
    let isLast = monitor.withLock {
      arrived += 1
      guard arrived < places.count else { return true }
      leave(worker, to: .meeting)
      waitForSeat(worker)
      return false
    }
    guard isLast else { return }
    last()
    monitor.withLock {
      arrived = 0
      for other in places.indices {
        if case .meeting = places[other] { places[other] = .ready }
      }
      assignSeats()
    }
  }

  /// The life of one thread.
  func live(_ worker: Int) {
    KernelSet.flushDenormals()
    while let work = monitor.withLock({ nextWork(of: worker) }) {
      call(work, worker)
      monitor.withLock {
        leave(worker, to: .idle)
        unfinished -= 1
        if unfinished == 0 { monitor.wakeAll(on: caller) }
      }
    }
  }

  // Not inlined: when it returns, the thread holds no reference to the closure, which may then end its life.
  @inline(never)
  private func call(_ work: Unmanaged<TeamWork>, _ worker: Int) {
    work._withUnsafeGuaranteedRef { $0.body(worker) }
  }

  private func nextWork(of worker: Int) -> Unmanaged<TeamWork>? {
    waitForSeat(worker)
    return isClosing ? nil : work
  }

  private func waitForSeat(_ worker: Int) {
    while !isClosing {
      if case .seated(let seat) = places[worker] { return bind(worker, to: seat) }
      monitor.wait(on: worker)
    }
  }

  private func bind(_ worker: Int, to seat: Int) {
    guard !processors.isEmpty, bound[worker] != processors[seat] else { return }
    Processors.bind(to: processors[seat])
    bound[worker] = processors[seat]
  }

  private func leave(_ worker: Int, to place: Place) {
    if case .seated(let seat) = places[worker] { seatIsFree[seat] = true }
    places[worker] = place
    assignSeats()
  }

  /// Hands out the free seats: first to workers that prefer them, then to whoever is ready.
  private func assignSeats() {
    assignSeats(onlyPreferred: true)
    assignSeats(onlyPreferred: false)
  }

  private func assignSeats(onlyPreferred: Bool) {
    for seat in seatIsFree.indices where seatIsFree[seat] {
      guard let worker = readyWorker(for: seat, onlyPreferred: onlyPreferred) else { continue }
      seatIsFree[seat] = false
      places[worker] = .seated(seat)
      monitor.wakeAll(on: worker)
    }
  }

  private func readyWorker(for seat: Int, onlyPreferred: Bool) -> Int? {
    places.indices.first { worker in
      guard case .ready = places[worker] else { return false }
      return !onlyPreferred || worker * seatIsFree.count / places.count == seat
    }
  }
}
