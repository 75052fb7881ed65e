import Collectives
import Diagnostics

extension Conformance {
  static var blockingChecks: [Check] {
    [
      Check(name: "ranks are numbered and named") { group in
        try expect(0..<group.size ~= group.rank, "rank \(group.rank) of \(group.size)")
        try expect(try group.allGather(group.rank) == Array(0..<group.size), "ranks out of order")
        let hosts = try group.allGather(text: group.hostName)
        try expect(hosts[group.rank] == group.hostName && !hosts.contains(""), "host names \(hosts)")
      },
      Check(name: "barriers, many in a row") { group in
        for _ in 0..<200 { try group.barrier() }
      },
      Check(name: "broadcast from every rank, of any size") { group in
        for root in 0..<group.size {
          for count in [0, 1, 7, 4096, 1_000_003] {
            var bytes = payload(of: group.rank, count: count)
            try bytes.withUnsafeMutableBytes { try group.broadcast($0, root: root) }
            try expect(
              bytes == payload(of: root, count: count), "\(count) bytes from rank \(root) arrive changed")
          }
        }
      },
      Check(name: "all-gather of uneven and empty contributions") { group in
        for scale in [0, 1, 1000, 300_000] {
          let counts = (0..<group.size).map { $0 % 3 == 1 ? 0 : ($0 + 1) * scale }
          let wanted = (0..<group.size).flatMap { payload(of: $0, count: counts[$0]) }
          var all = [UInt8](repeating: 0xEE, count: wanted.count)
          try payload(of: group.rank, count: counts[group.rank]).withUnsafeBytes { mine in
            try all.withUnsafeMutableBytes { try group.allGather(mine, into: $0, counts: counts) }
          }
          try expect(all == wanted, "bytes in the wrong place for counts \(counts)")
        }
      },
      Check(name: "gather on every rank, the others untouched") { group in
        for root in 0..<group.size {
          let counts = (0..<group.size).map { $0 == root ? 0 : 100 * $0 + 5 }
          let wanted = (0..<group.size).flatMap { payload(of: $0, count: counts[$0]) }
          let untouched = [UInt8](repeating: 0xEE, count: wanted.count)
          var all = untouched
          try payload(of: group.rank, count: counts[group.rank]).withUnsafeBytes { mine in
            try all.withUnsafeMutableBytes { try group.gather(mine, into: $0, counts: counts, root: root) }
          }
          try expect(
            all == (group.rank == root ? wanted : untouched), "gather to rank \(root) of counts \(counts)")
        }
      },
      Check(name: "texts of any length") { group in
        let text = { (rank: Int) in rank == 1 ? "" : String(repeating: "späker ", count: rank * 3) }
        let all = try group.allGather(text: text(group.rank))
        try expect(all == (0..<group.size).map(text), "texts \(all)")
      },
      Check(name: "the transport's own sum") { group in
        for count in [0, 1, 33, 100_000] {
          var values = TestValues.shard(group.rank, count: count)
          try values.withUnsafeMutableBufferPointer { try group.allReduceSum($0) }
          let shards = (0..<group.size).map { TestValues.shard($0, count: count) }
          for index in 0..<count {
            let terms = shards.map { Double($0[index]) }
            let error = abs(Double(values[index]) - terms.reduce(0, +))
            let magnitude = terms.reduce(0) { $0 + abs($1) }
            try expect(error <= 1e-6 * magnitude, "element \(index) of \(count) is off by \(error)")
          }
        }
      },
    ]
  }
}

/// Bytes that tell their rank and place.
private func payload(of rank: Int, count: Int) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: rank &* 37 &+ $0 &* 11 &+ $0 >> 8) }
}
