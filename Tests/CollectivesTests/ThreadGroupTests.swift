import Collectives
import Diagnostics
import Testing

@Suite("Ranks as threads: results, and failures that reach everyone")
struct ThreadGroupTests {
  @Test("results come back in rank order", arguments: [1, 2, 7])
  func results(ranks: Int) throws {
    let results = try ThreadGroup.run(size: ranks) { group in
      try group.barrier()
      return "\(group.rank) of \(group.size)"
    }
    #expect(results == (0..<ranks).map { "\($0) of \(ranks)" })
  }

  @Test("a rank that throws ends the ones that wait for it, wherever they wait", arguments: Waiting.allCases)
  func throwing(waiting: Waiting) {
    #expect(throws: Failure(.badData, "shard 2 is cut short")) {
      _ = try ThreadGroup.run(size: 4) { group in
        if group.rank == 2 { throw Failure(.badData, "shard 2 is cut short") }
        do {
          try waiting.enter(group)
        } catch {
          // The others are told who and why; a later call tells them again.
          #expect(error as? Failure == Failure(.badData, "rank 2 stopped: shard 2 is cut short"))
          try group.barrier()
        }
      }
    }
  }

  @Test("a rank that leaves early ends the ones that wait for it", arguments: Waiting.allCases)
  func leaving(waiting: Waiting) throws {
    let failure = try #require(throws: Failure.self) {
      _ = try ThreadGroup.run(size: 3) { group in
        if group.rank != 1 { try waiting.enter(group) }
      }
    }
    #expect(failure.message.hasPrefix("rank 1 has left the group while rank "))
  }

  @Test("a rank that aborts ends the ones that wait for it", arguments: Waiting.allCases)
  func aborting(waiting: Waiting) {
    #expect(throws: Failure(.inputOutput, "rank 0 aborted with status 74")) {
      _ = try ThreadGroup.run(size: 3) { group in
        if group.rank == 0 { group.abort(status: 74) }
        try waiting.enter(group)
      }
    }
  }

  @Test("of several failures the lowest rank's is thrown")
  func lowest() {
    #expect(throws: Failure(.usage, "rank 1's own")) {
      _ = try ThreadGroup.run(size: 4) { group in
        // All have met before any throws, so that each failure is a rank's own.
        try group.barrier()
        if group.rank > 0 { throw Failure(.usage, "rank \(group.rank)'s own") }
      }
    }
  }

  @Test("counts that do not fit together are named")
  func mismatch() throws {
    let exchange = try #require(throws: Failure.self) {
      _ = try ThreadGroup.run(size: 2) { group in
        let counts = group.rank == 0 ? [0, 4] : [5, 0]
        let plan = try ExchangePlan(
          sendCounts: counts, sendOffsets: [0, 0], receiveCounts: counts, receiveOffsets: [0, 0])
        let (sent, received) = (AlignedFloats(count: 8), AlignedFloats(count: 8))
        defer { withExtendedLifetime((sent, received)) {} }
        var request = try group.startAllToAll(plan, send: sent.start, receive: received.start)
        try group.wait(&request)
      }
    }
    #expect(exchange.message.contains(" floats to rank "), "\(exchange)")
    let broadcast = try #require(throws: Failure.self) {
      _ = try ThreadGroup.run(size: 2) { group in
        var bytes = [UInt8](repeating: 0, count: 4 + group.rank)
        try bytes.withUnsafeMutableBytes { try group.broadcast($0, root: 0) }
      }
    }
    #expect(broadcast.message == "rank 0 broadcasts 4 bytes, rank 1 expects 5")
  }

  @Test("a count that MPI cannot hold is refused")
  func tooLarge() {
    #expect(throws: Failure.self) { try GatherPlan(counts: [1 << 31], offsets: [0]) }
    #expect(throws: Failure.self) {
      try OrderedReduction(
        SoloGroup(), ownership: ShardOwnership(shards: 1, ranks: 1), range: 1 << 31..<(1 << 31) + 16)
    }
  }

  /// The calls in which a rank can wait for another.
  enum Waiting: String, CaseIterable, Sendable {
    case barrier, broadcast, gather, sum, exchange, manyExchanges, reduction

    func enter(_ group: ThreadGroup) throws {
      let counts = Array(repeating: 2, count: group.size)
      let values = AlignedFloats(count: 2 * group.size)
      defer { withExtendedLifetime(values) {} }
      switch self {
      case .barrier: try group.barrier()
      case .broadcast:
        try group.broadcast(UnsafeMutableRawBufferPointer(start: values.start, count: 8), root: 0)
      case .gather: _ = try group.allGather(group.rank)
      case .sum: try group.allReduceSum(UnsafeMutableBufferPointer(start: values.start, count: 2))
      case .exchange, .manyExchanges:
        let plan = try GatherPlan(counts: counts, offsets: (0..<group.size).map { $0 * 2 })
        var requests: [ThreadGroup.Request] = []
        // More than may be in flight: the last start waits.
        for _ in 0..<(self == .exchange ? 1 : 100) {
          requests.append(try group.startAllGather(plan, inPlace: values.start, lane: .main))
        }
        for index in requests.indices { try group.wait(&requests[index]) }
      case .reduction:
        let ownership = ShardOwnership(shards: group.size, ranks: group.size)
        let reduction = try OrderedReduction(group, ownership: ownership, range: 0..<2 * group.size)
        try reduction.start(roots: [UnsafePointer(values.start)])
        while !(try reduction.test()) {}
      }
    }
  }
}
