import Collectives
import CollectivesConformance
import Testing

@Suite("Shards: who owns them, and the tree that sums over them")
struct ShardTests {
  @Test("runs are contiguous, cover all shards, and differ by at most one", arguments: 1...33)
  func ownership(shards: Int) {
    for ranks in 1...40 {
      let ownership = ShardOwnership(shards: shards, ranks: ranks)
      let runs = (0..<ranks).map(ownership.shards(of:))
      #expect(runs.flatMap { $0 } == Array(0..<shards))
      let sizes = runs.map(\.count)
      #expect(sizes.max()! - sizes.min()! <= 1)
      for (rank, run) in runs.enumerated() {
        for shard in run { #expect(ownership.owner(of: shard) == rank) }
      }
    }
  }

  @Test("a node splits at the largest power of two below its size")
  func middle() {
    for (range, middle) in [
      (0..<2, 1), (0..<3, 2), (0..<4, 2), (4..<7, 6), (0..<5, 4), (0..<8, 4), (0..<9, 8),
    ] {
      #expect(ShardTree.middle(of: range) == middle)
    }
  }

  @Test("the subtrees of a run are the largest nodes in it")
  func subtrees() {
    let tree = ShardTree(shards: 8)
    #expect(tree.subtrees(of: 0..<8) == [0..<8])
    #expect(tree.subtrees(of: 0..<3) == [0..<2, 2..<3])
    #expect(tree.subtrees(of: 3..<6) == [3..<4, 4..<6])
    #expect(tree.subtrees(of: 1..<7) == [1..<2, 2..<4, 4..<6, 6..<7])
    #expect(tree.subtrees(of: 8..<8) == [])
    // The ragged right end is a node as well: sum(4, 7) of seven shards.
    #expect(ShardTree(shards: 7).subtrees(of: 4..<7) == [4..<7])
  }

  @Test("a rank's merges leave the roots, and the roots' merges the sum", arguments: 1...20)
  func merges(shards: Int) {
    let tree = ShardTree(shards: shards)
    for ranks in 1...shards + 2 {
      let ownership = ShardOwnership(shards: shards, ranks: ranks)
      var roots: [Range<Int>] = []
      for rank in 0..<ranks {
        let run = ownership.shards(of: rank)
        let local = apply(tree.merges(of: run.map { $0..<$0 + 1 }), to: run.map { $0..<$0 + 1 })
        #expect(local == tree.subtrees(of: run))
        roots += local
      }
      #expect(apply(tree.merges(of: roots), to: roots) == [0..<shards])
    }
  }

  @Test("a merge is listed as soon as its right part's last node is there", arguments: 2...20)
  func mergesComeEarly(shards: Int) {
    let merges = ShardTree(shards: shards).merges(of: (0..<shards).map { $0..<$0 + 1 })
    // The largest slot that has had to arrive never decreases along the list.
    var sizes = Array(repeating: 1, count: shards)
    var arrived = 0
    for merge in merges {
      let last = merge.from + sizes[merge.from] - 1
      #expect(last >= arrived)
      arrived = last
      sizes[merge.into] += sizes[merge.from]
    }
    #expect(merges.count == shards - 1)
  }

  /// Merges neighbouring ranges as the list says; what is left, in order.
  private func apply(_ merges: [ShardTree.Merge], to nodes: [Range<Int>]) -> [Range<Int>] {
    var slots: [Range<Int>?] = nodes
    for merge in merges {
      guard let left = slots[merge.into], let right = slots[merge.from] else {
        Issue.record("\(merge) uses a slot that is free")
        continue
      }
      #expect(left.upperBound == right.lowerBound)
      #expect(ShardTree.middle(of: left.lowerBound..<right.upperBound) == right.lowerBound)
      slots[merge.into] = left.lowerBound..<right.upperBound
      slots[merge.from] = nil
    }
    return slots.compactMap { $0 }
  }
}
