import Collectives
import Diagnostics

extension Conformance {
  static var exchangeChecks: [Check] {
    [
      Check(name: "all-to-all of uneven blocks with gaps") { group in
        for scale in [1, 17, 4096, 50_000] {
          let exchange = try UnevenExchange(group, scale: scale, salt: scale)
          try exchange.start()
          try exchange.wait()
          try exchange.verify()
        }
      },
      Check(name: "all-to-all completed by testing alone") { group in
        let exchange = try UnevenExchange(group, scale: 30_000, salt: 5)
        try exchange.start()
        while !(try exchange.test()) {}
        try expect(try exchange.test(), "a completed request must stay completed")
        try exchange.wait()
        try exchange.verify()
      },
      Check(name: "in-place all-gather of uneven blocks") { group in
        for scale in [0, 1, 1000, 100_000] {
          let counts = (0..<group.size).map { $0 % 4 == 2 ? 0 : $0 * scale + scale / 2 }
          // Blocks lie from the last rank's to the first's, three floats apart.
          let offsets = (0..<group.size).map { rank in counts[(rank + 1)...].reduce(0) { $0 + $1 + 3 } }
          let plan = try GatherPlan(counts: counts, offsets: offsets)
          let values = AlignedFloats(count: offsets[0] + counts[0] + 3)
          defer { withExtendedLifetime((plan, values)) {} }
          var wanted = values.array
          for rank in 0..<group.size {
            for (index, value) in TestValues.shard(rank, count: counts[rank]).enumerated() {
              wanted[offsets[rank] + index] = value
              if rank == group.rank { values.start[offsets[rank] + index] = value }
            }
          }
          var request = try group.startAllGather(plan, inPlace: values.start, lane: .main)
          try group.wait(&request)
          try expectSameBits(values.array, wanted, "counts \(counts)")
        }
      },
      Check(name: "a hundred exchanges in flight, ended in any order") { group in
        let exchanges = try (0..<100).map { try UnevenExchange(group, scale: 1 + $0 * 7 % 90, salt: $0) }
        for index in exchanges.indices { try exchanges[index].start() }
        // Every rank waits in an order of its own.
        let order = exchanges.indices.sorted {
          TestValues.bits($0, group.rank) < TestValues.bits($1, group.rank)
        }
        for index in order { try exchanges[index].wait() }
        for exchange in exchanges { try exchange.verify() }
      },
      Check(name: "blocking calls while exchanges are in flight") { group in
        let exchange = try UnevenExchange(group, scale: 20_000, salt: 9)
        try exchange.start()
        try group.barrier()
        try expect(try group.allGather(group.rank) == Array(0..<group.size), "ranks out of order")
        try exchange.wait()
        try exchange.verify()
      },
      Check(name: "lanes that every rank starts in an order of its own") { group in
        let rounds = 40
        let exchanges = try (0..<rounds).map { try UnevenExchange(group, scale: 1 + $0 * 11, salt: $0) }
        let plan = try GatherPlan(
          counts: Array(repeating: 500, count: group.size), offsets: (0..<group.size).map { 500 * $0 })
        let gathered = (0..<rounds).map { _ in AlignedFloats(count: 500 * group.size) }
        defer { withExtendedLifetime((plan, gathered)) {} }
        var requests: [C.Request] = []
        var started = 0
        // The further a rank is from the first, the more of the main lane it starts between two of the other.
        for round in 0..<rounds {
          for index in 0..<500 { gathered[round].start[500 * group.rank + index] = Float(round + group.rank) }
          requests.append(try group.startAllGather(plan, inPlace: gathered[round].start, lane: .eager))
          while started < min(rounds, round * (group.rank + 1)) {
            try exchanges[started].start()
            started += 1
          }
        }
        for exchange in exchanges[started...] { try exchange.start() }
        for index in exchanges.indices.reversed() {
          try group.wait(&requests[index])
          try exchanges[index].wait()
        }
        for exchange in exchanges { try exchange.verify() }
        for (round, values) in gathered.enumerated() {
          let wanted = (0..<group.size).flatMap { [Float](repeating: Float(round + $0), count: 500) }
          try expectSameBits(values.array, wanted, "gather \(round)")
        }
      },
      Check(name: "a request that was never started is complete") { group in
        var request = C.Request()
        try expect(try group.test(&request), "not complete")
        try group.wait(&request)
      },
    ]
  }
}

/// An all-to-all in which every pair of ranks exchanges another number of floats, some none, with gaps between.
/// A class, so that the memory lent to the exchange lives as long as anything here is used.
private final class UnevenExchange<C: Communicator> {
  private let group: C
  private let salt: Int
  private let scale: Int
  private let plan: ExchangePlan
  private let sent: AlignedFloats
  private let received: AlignedFloats
  private var request = C.Request()

  init(_ group: C, scale: Int, salt: Int) throws {
    self.group = group
    self.scale = scale
    self.salt = salt
    let ranks = 0..<group.size
    let sendCounts = ranks.map { Self.count(from: group.rank, to: $0, scale: scale) }
    let receiveCounts = ranks.map { Self.count(from: $0, to: group.rank, scale: scale) }
    let sendOffsets = ranks.map { peer in 5 + sendCounts[..<peer].reduce(0) { $0 + $1 + 2 } }
    let receiveOffsets = ranks.map { peer in 1 + receiveCounts[..<peer].reduce(0) { $0 + $1 + 3 } }
    plan = try ExchangePlan(
      sendCounts: sendCounts, sendOffsets: sendOffsets, receiveCounts: receiveCounts,
      receiveOffsets: receiveOffsets)
    sent = AlignedFloats(count: 5 + sendCounts.reduce(0) { $0 + $1 + 2 })
    received = AlignedFloats(count: 1 + receiveCounts.reduce(0) { $0 + $1 + 3 })
    for peer in ranks {
      for (index, value) in Self.block(from: group.rank, to: peer, scale, salt).enumerated() {
        sent.start[sendOffsets[peer] + index] = value
      }
    }
  }

  func start() throws {
    request = try group.startAllToAll(plan, send: sent.start, receive: received.start)
  }

  func test() throws -> Bool { try group.test(&request) }

  func wait() throws { try group.wait(&request) }

  /// Every block is in its place, and the gaps between are as they were.
  func verify() throws {
    var wanted: [Float] = [0]
    for peer in 0..<group.size { wanted += Self.block(from: peer, to: group.rank, scale, salt) + [0, 0, 0] }
    try expectSameBits(received.array, wanted, "exchange \(salt) of scale \(scale)")
  }

  private static func count(from sender: Int, to receiver: Int, scale: Int) -> Int {
    (sender + 2 * receiver) % 5 == 3 ? 0 : scale + sender * 3 + receiver
  }

  private static func block(from sender: Int, to receiver: Int, _ scale: Int, _ salt: Int) -> [Float] {
    TestValues.shard(
      sender * 64 + receiver, count: count(from: sender, to: receiver, scale: scale), salt: salt)
  }
}
