import Dispatch
import Foundation
import Synchronization
import TensorCore
import Testing

/// A seat is worth a processor: workers that have one really run, side by side, and where a team fills its process's
/// processors each seat is one of them.
@Suite("The seats of a thread team", .serialized) struct SeatTests {
  @Test("workers with seats run at the same time", arguments: [(2, 2), (6, 3), (8, 2)])
  func together(workers: Int, seats: Int) throws {
    let team = ThreadTeam(workers: workers, seats: seats)
    for _ in 0..<20 {
      // Both when seats are first handed out and when they are after all have waited for each other.
      let first = Rendezvous(of: seats, visitors: workers)
      let second = Rendezvous(of: seats, visitors: workers)
      let lonely = Atomic(0), lonelyAgain = Atomic(0)
      team.run { worker in
        let isAlone = first.meet() == nil
        team.meet(worker) {}
        if isAlone {
          lonely.add(1, ordering: .relaxed)
        } else if second.meet() == nil {
          lonelyAgain.add(1, ordering: .relaxed)
        }
      }
      // Once is enough: it has taken a while.
      try #require(lonely.load(ordering: .relaxed) == 0, "workers waited in vain")
      try #require(lonelyAgain.load(ordering: .relaxed) == 0, "workers waited in vain after a meeting")
    }
  }

  @Test("with one seat nobody else comes") func control() {
    let team = ThreadTeam(workers: 2, seats: 1)
    let rendezvous = Rendezvous(of: 2, visitors: 2)
    let lonely = Atomic(0)
    team.run { _ in
      if rendezvous.meet(patience: .milliseconds(1)) == nil { lonely.add(1, ordering: .relaxed) }
    }
    #expect(lonely.load(ordering: .relaxed) == 2)
  }

  @Test("as many seats as processors: each is one of them", .enabled(if: allowedProcessors().count > 1))
  func processors() throws {
    let allowed = allowedProcessors()
    let seats = allowed.count
    let team = ThreadTeam(workers: 2 * seats, seats: seats)
    for _ in 0..<20 {
      let rendezvous = Rendezvous(of: seats, visitors: 2 * seats)
      let places = Mutex<[[Set<Int>]]>([[], []])
      team.run { _ in
        guard let group = rendezvous.meet() else { return }
        let mine = allowedProcessors()
        places.withLock { $0[group].append(mine) }
      }
      for group in places.withLock({ $0 }) {
        try #require(group.count == seats && group.allSatisfy { $0.count == 1 }, "\(group)")
        #expect(group.reduce(into: []) { $0.formUnion($1) } == allowed, "\(group)")
      }
    }
    #expect(allowedProcessors() == allowed, "the caller was bound too")
  }

  @Test("fewer seats, or more, leave the choice to the system") func free() {
    let allowed = allowedProcessors()
    #expect(!allowed.isEmpty)
    let counts = [allowed.count + 1] + (allowed.count > 1 ? [allowed.count - 1] : [])
    for seats in counts {
      let places = Mutex<[Set<Int>]>([])
      ThreadTeam(workers: allowed.count + 1, seats: seats).run { _ in
        let mine = allowedProcessors()
        places.withLock { $0.append(mine) }
      }
      #expect(places.withLock { $0 } == Array(repeating: allowed, count: allowed.count + 1), "\(seats) seats")
    }
  }
}

/// Where visitors wait until `size` of them are there, the first `size` for each other, then the next.
private final class Rendezvous: Sendable {
  private let size: Int
  private let arrivals = Atomic(0)
  private let isOver = Atomic(false)
  private let doors: [DispatchSemaphore]

  /// - Parameter visitors: how many will come in all; a multiple of `size`.
  init(of size: Int, visitors: Int) {
    self.size = size
    doors = (0..<visitors / size).map { _ in DispatchSemaphore(value: 0) }
  }

  /// Waits for the others.
  ///
  /// - Parameter patience: far beyond what it takes on a busy machine, so that whoever gives up was alone. Nobody
  ///   waits after that.
  /// - Returns: the number of the group that has met; `nil` if it never did.
  func meet(patience: DispatchTimeInterval = .seconds(60)) -> Int? {
    guard !isOver.load(ordering: .sequentiallyConsistent) else { return nil }
    let arrival = arrivals.add(1, ordering: .sequentiallyConsistent).oldValue
    let (group, place) = arrival.quotientAndRemainder(dividingBy: size)
    if place == size - 1 {
      for _ in 1..<size { doors[group].signal() }
      return group
    }
    if doors[group].wait(timeout: .now() + patience) == .success { return group }
    isOver.store(true, ordering: .sequentiallyConsistent)
    return nil
  }
}

/// The processors that the calling thread may use, as the kernel lists them: "0-3,6". Empty when it does not tell.
private func allowedProcessors() -> Set<Int> {
  let status = (try? String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)) ?? ""
  let name = "Cpus_allowed_list:"
  guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return [] }
  return line.dropFirst(name.count).split(separator: ",").reduce(into: []) { processors, run in
    let ends = run.split(separator: "-").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
    if let first = ends.first, let last = ends.last { processors.formUnion(first...last) }
  }
}
