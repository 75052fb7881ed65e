import Collectives
import CollectivesConformance
import Testing

@Suite("Sums in tree order")
struct TreeSumTests {
  @Test("all ways ranks cut the shards give the bits of the definition", arguments: 1...16)
  func sameBits(shards: Int) {
    let tree = ShardTree(shards: shards)
    for count in [1, 15, 16, 100, 1000] {
      let wanted = TestValues.treeSum(0, shards, count: count)
      for ranks in 1...shards {
        let ownership = ShardOwnership(shards: shards, ranks: ranks)
        let nodes = (0..<ranks).flatMap { tree.subtrees(of: ownership.shards(of: $0)) }
        let pieces = nodes.map { TestValues.treeSum($0.lowerBound, $0.upperBound, count: count) }
        let apart = sum(pieces, of: nodes, in: tree, count: count, inPlace: nil)
        #expect(firstDifference(apart, wanted) == nil)
        for piece in pieces.indices {
          let inPlace = sum(pieces, of: nodes, in: tree, count: count, inPlace: piece)
          #expect(firstDifference(inPlace, wanted) == nil)
        }
      }
    }
  }

  @Test("the values tell orders apart: another order gives other bits")
  func orderMatters() {
    let count = 1000
    let tree = TestValues.treeSum(0, 8, count: count)
    let inSequence = (1..<8).reduce(TestValues.shard(0, count: count)) { sum, shard in
      zip(sum, TestValues.shard(shard, count: count)).map { $0 + $1 }
    }
    let differing = zip(tree, inSequence).count { $0 != $1 }
    #expect(differing > count / 10)
  }

  @Test("values that are not finite come through")
  func notFinite() {
    let tree = ShardTree(shards: 3)
    let nodes = [0..<1, 1..<2, 2..<3]
    let sums = sum(
      [[.infinity, .nan, 1], [1, 1, -.infinity], [1, 1, 1]], of: nodes, in: tree, count: 3, inPlace: nil)
    #expect(sums[0] == .infinity)
    #expect(sums[1].isNaN)
    #expect(sums[2] == -.infinity)
  }

  /// The sum into memory of its own, or over one of the pieces.
  private func sum(
    _ pieces: [[Float]], of nodes: [Range<Int>], in tree: ShardTree, count: Int, inPlace: Int?
  ) -> [Float] {
    let memory = pieces.map { piece in
      let copy = AlignedFloats(count: count)
      copy.start.update(from: piece, count: count)
      return copy
    }
    let output = inPlace.map { memory[$0] } ?? AlignedFloats(count: count)
    let pointers = memory.map { UnsafePointer($0.start) }
    return withExtendedLifetime(memory) {
      pointers.withUnsafeBufferPointer {
        TreeSum(of: nodes, in: tree)($0.baseAddress!, count: count, into: output.start)
      }
      return output.array
    }
  }
}
