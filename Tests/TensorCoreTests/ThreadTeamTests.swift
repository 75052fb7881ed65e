import Synchronization
import TensorCore
import Testing

@Suite("The thread team") struct ThreadTeamTests {
  /// How many workers are between two points, and the most that ever were.
  final class Census: Sendable {
    private let now = Atomic<Int>(0)
    private let most = Atomic<Int>(0)

    func enter() {
      let count = now.add(1, ordering: .sequentiallyConsistent).newValue
      _ = most.max(count, ordering: .sequentiallyConsistent)
    }

    func leave() { now.subtract(1, ordering: .sequentiallyConsistent) }
    var peak: Int { most.load(ordering: .sequentiallyConsistent) }
  }

  static let sizes: [(workers: Int, seats: Int)] = [(1, 1), (2, 1), (2, 2), (8, 1), (8, 2), (8, 3), (3, 8)]

  @Test("every worker runs once, never more at a time than there are seats", arguments: sizes)
  func seats(workers: Int, seats: Int) {
    let team = ThreadTeam(workers: workers, seats: seats)
    let census = Census()
    let runs = (0..<workers).map { _ in Counter() }
    for _ in 0..<50 {
      team.run { worker in
        census.enter()
        runs[worker].increment()
        spin()
        census.leave()
      }
    }
    #expect(runs.allSatisfy { $0.value == 50 })
    #expect(census.peak <= seats)
  }

  @Test("workers that wait give way to others, and the seats still hold", arguments: sizes)
  func meetings(workers: Int, seats: Int) {
    let team = ThreadTeam(workers: workers, seats: seats)
    let census = Census()
    var meetings = 0
    let arrivals = Counter()
    var lateComers = 0
    for _ in 0..<20 {
      team.run { worker in
        census.enter()
        // Three times all of them meet, though only few run at a time.
        for _ in 0..<3 {
          spin()
          arrivals.increment()
          census.leave()
          team.meet(worker) {
            census.enter()
            meetings += 1
            if arrivals.value != meetings * workers { lateComers += 1 }
            census.leave()
          }
          census.enter()
        }
        census.leave()
      }
    }
    #expect(meetings == 60)
    #expect(lateComers == 0)
    #expect(census.peak <= seats)
  }

  @Test("denormal numbers are zero as long as they are asked to be") func scope() {
    let numbers = UnsafeMutableBufferPointer<Float>.allocate(capacity: 2)
    defer { numbers.deallocate() }
    _ = numbers.initialize(from: [Float.leastNonzeroMagnitude, 1e30])
    let inside = KernelSet.flushingDenormals { numbers[0] * numbers[1] }
    #expect(inside.bitPattern == 0)
    let outside = numbers[0] * numbers[1]
    #expect(outside.bitPattern != 0)
  }

  @Test("workers take denormal numbers as zero, as operands and as results")
  func denormals() {
    // In memory, so that it is the worker who computes and not the compiler.
    let numbers = UnsafeMutableBufferPointer<Float>.allocate(capacity: 4)
    defer { numbers.deallocate() }
    _ = numbers.initialize(from: [Float.leastNonzeroMagnitude, 1e30, Float.leastNormalMagnitude, 0.5])
    let products = UnsafeMutableBufferPointer<Float>.allocate(capacity: 4)
    defer { products.deallocate() }
    products.initialize(repeating: 1)
    ThreadTeam(workers: 2, seats: 1).run { worker in
      for pair in 0..<2 { products[2 * worker + pair] = numbers[2 * pair] * numbers[2 * pair + 1] }
    }
    #expect(products.allSatisfy { $0.bitPattern == 0 })
  }

  @Test("every item is done once, by a worker that exists", arguments: sizes)
  func items(workers: Int, seats: Int) {
    let team = ThreadTeam(workers: workers, seats: seats)
    for items in [0, 1, 2, 7, 500] {
      let counts = (0..<items).map { _ in Counter() }
      let census = Census()
      let strangers = Counter()
      team.forEach(items) { item, worker in
        census.enter()
        counts[item].increment()
        if !(0..<workers).contains(worker) { strangers.increment() }
        census.leave()
      }
      #expect(counts.allSatisfy { $0.value == 1 })
      #expect(strangers.value == 0)
      #expect(census.peak <= seats)
    }
  }

  @Test("what one run wrote the next one sees, and so does the caller") func order() {
    let workers = 4, runs = 200
    let team = ThreadTeam(workers: workers, seats: 2)
    // A row for each run, every element another number; row 0 is the caller's.
    var values = [Int](repeating: -1, count: workers * (runs + 1))
    for worker in 0..<workers { values[worker] = worker }
    let unseen = Counter()
    var unseenByCaller = 0
    values.withUnsafeMutableBufferPointer { values in
      let values = values.baseAddress!
      for run in 1...runs {
        team.run { worker in
          let mine = workers * run + worker
          let neighbours = workers * (run - 1) + (worker + 1) % workers
          if values[neighbours] != neighbours { unseen.increment() }
          spin()
          values[mine] = mine
        }
        for place in workers * run..<workers * (run + 1) where values[place] != place { unseenByCaller += 1 }
      }
    }
    #expect(unseen.value == 0)
    #expect(unseenByCaller == 0)
    #expect(values == Array(0..<workers * (runs + 1)))
  }

  @Test("teams come and go") func lifetimes() {
    for round in 0..<100 {
      let team = ThreadTeam(workers: round % 5, seats: 1 + round % 3)
      let count = Counter()
      if round % 2 == 0 { team.run { _ in count.increment() } }
      #expect(count.value == (round % 2 == 0 ? round % 5 : 0))
    }
  }

  private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    func increment() { count.add(1, ordering: .relaxed) }
    var value: Int { count.load(ordering: .relaxed) }
  }
}

/// Some work, so that workers overlap.
private func spin() {
  let stream = RandomStream(seed: 1, purpose: .order)
  var sum: UInt32 = 0
  for element in 0..<500 { sum &+= stream[element] }
  precondition(sum != 0)
}
