import Collectives
import Testing

@Suite("bfloat16")
struct BFloat16Tests {
  private func rounded(_ value: Float) -> Float {
    // Seventeen: one vector, and one left over.
    var values = [Float](repeating: value, count: 17)
    values.withUnsafeMutableBufferPointer { BFloat16.round($0.baseAddress!, count: 17) }
    #expect(values.allSatisfy { $0.bitPattern == values[0].bitPattern })
    return values[0]
  }

  /// The definition, in exact arithmetic: of the two neighbours the nearer, of two as near the even one.
  private func nearest(_ value: Float) -> Float {
    let below = Float(bitPattern: value.bitPattern & 0xFFFF_0000)
    let above = Float(bitPattern: (value.bitPattern & 0xFFFF_0000) &+ 0x1_0000)
    let toBelow = (Double(value) - Double(below)).magnitude
    // Beyond the largest number lies what would be the next one, 2¹²⁸, which is infinity's place.
    let toAbove = ((above.isInfinite ? 0x1p128 : Double(above).magnitude) - Double(value).magnitude).magnitude
    if toBelow != toAbove { return toBelow < toAbove ? below : above }
    return below.bitPattern >> 16 & 1 == 0 ? below : above
  }

  @Test("rounds to the nearest, ties to even")
  func rounds() {
    var state: UInt64 = 7
    for _ in 0..<20_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let value = Float(bitPattern: UInt32(state >> 32))
      guard value.isFinite else { continue }
      #expect(rounded(value).bitPattern == nearest(value).bitPattern, "\(value)")
    }
    // Ties, up and down; the largest float; the smallest.
    for bits: UInt32 in [
      0x3F80_8000, 0x3F81_8000, 0xBF80_8000, 0x7F7F_FFFF, 0x0000_0001, 0x0000_8000, 0x0001_8000,
    ] {
      let value = Float(bitPattern: bits)
      #expect(rounded(value).bitPattern == nearest(value).bitPattern)
    }
  }

  @Test("keeps zeros, infinities and NaN")
  func specials() {
    for value in [0, -0.0, Float.infinity, -Float.infinity] {
      #expect(rounded(value).bitPattern == value.bitPattern)
    }
    for bits: UInt32 in [0x7F80_0001, 0x7FFF_FFFF, 0xFF80_0001, 0xFFFF_FFFF, 0x7FC0_0000] {
      #expect(rounded(Float(bitPattern: bits)).isNaN)
    }
  }

  @Test("a sum is the rounded sum of floats")
  func adds() {
    let left = (0..<37).map { Float($0) * 1.37 - 20 }, right = (0..<37).map { 5 / (Float($0) + 0.3) }
    var sum = [Float](repeating: 0, count: 37)
    BFloat16.add(left, right, into: &sum, count: 37)
    #expect(sum == zip(left, right).map { rounded($0 + $1) })
  }

  @Test("a reduction in halves moves and sums rounded numbers", arguments: [1, 2, 3, 5, 8])
  func reduction(_ ranks: Int) throws {
    let shards = 8, count = 1_003, range = 17..<990
    let leaves = (0..<shards).map { shard in
      (0..<count).map { rounded(Float(($0 * 31 + shard * 77) % 1_009) / 300 - 1.5) }
    }
    let tree = ShardTree(shards: shards)
    @Sendable func sum(_ node: Range<Int>) -> [Float] {
      if node.count == 1 { return leaves[node.lowerBound] }
      let middle = ShardTree.middle(of: node)
      return zip(sum(node.lowerBound..<middle), sum(middle..<node.upperBound)).map { rounded($0 + $1) }
    }
    let whole = sum(0..<shards)
    _ = try ThreadGroup.run(size: ranks) { group in
      let ownership = ShardOwnership(shards: shards, ranks: ranks)
      let reduction = try OrderedReduction(group, ownership: ownership, range: range, precision: .bf16)
      let roots = tree.subtrees(of: ownership.shards(of: group.rank)).map { node in
        let root = UnsafeMutablePointer<Float>.allocate(capacity: count)
        root.initialize(from: sum(node), count: count)
        return root
      }
      defer { roots.forEach { $0.deallocate() } }
      for _ in 0..<2 {
        var mine = [Float](repeating: 0, count: max(1, reduction.owned.count))
        try reduction.start(roots: roots.map { UnsafePointer($0) })
        try mine.withUnsafeMutableBufferPointer { try reduction.finish(into: $0.baseAddress!) }
        #expect(Array(mine[..<reduction.owned.count]) == Array(whole[reduction.owned]))
        try group.barrier()
      }
    }
  }
}
