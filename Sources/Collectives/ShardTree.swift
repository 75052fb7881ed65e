/// The one binary tree in which everything is summed over the shards, wherever they live.
///
///     sum(lo, hi) = sum(lo, mid) + sum(mid, hi),   mid = lo + the largest power of two below hi − lo
///
/// The tree depends on the number of shards alone. A rank adds up what lies wholly in its run of shards
/// (`subtrees`, `merges`), the owner of a slice adds what the ranks send, and every addition is one of the tree's:
/// so the bits of a sum do not depend on the number of ranks.
public struct ShardTree: Equatable, Sendable {
  /// The number of leaves.
  public let shards: Int

  /// - Precondition: at least one shard.
  public init(shards: Int) {
    precondition(shards > 0, "a tree needs at least one shard")
    self.shards = shards
  }

  /// Where the node over `range` (at least two shards) splits.
  public static func middle(of range: Range<Int>) -> Int {
    precondition(range.count > 1, "a leaf does not split")
    let below = range.count - 1
    return range.lowerBound + 1 << (Int.bitWidth - 1 - below.leadingZeroBitCount)
  }

  /// The largest nodes of the tree that lie wholly in `local`, left to right: what a rank can add up on its own.
  ///
  /// At most about 2 log₂ V; one when these shards are themselves a node.
  public func subtrees(of local: Range<Int>) -> [Range<Int>] {
    precondition(local.lowerBound >= 0 && local.upperBound <= shards, "shards \(local) of \(shards)")
    return largestNodes(under: 0..<shards, within: local)
  }

  private func largestNodes(under node: Range<Int>, within local: Range<Int>) -> [Range<Int>] {
    if local.clamped(to: node).isEmpty { return [] }
    if local.lowerBound <= node.lowerBound && node.upperBound <= local.upperBound { return [node] }
    let middle = Self.middle(of: node)
    return largestNodes(under: node.lowerBound..<middle, within: local)
      + largestNodes(under: middle..<node.upperBound, within: local)
  }

  /// One addition of the tree: the sum in slot `from` is added to the sum in slot `into`.
  public struct Merge: Equatable, Sendable {
    /// The slot of the left part, which then holds the sum of both.
    public let into: Int
    /// The slot of the right part, which is free afterwards.
    public let from: Int
  }

  /// The additions that can be made with `nodes`, in an order that needs each node as late as possible.
  ///
  /// - Parameter nodes: nodes of the tree, left to right, not overlapping; node i is in slot i. A rank's single
  ///   shards give its own additions (what is left in slots are the sums of `subtrees(of: local)`, each in
  ///   the slot of its first shard); the roots of all ranks give the additions of a slice's owner (what is left
  ///   is the whole sum, in slot 0).
  /// - Returns: merges in post-order: after node i arrives, every merge with `from <= i` that comes next in the
  ///   list can be made, so a rank that computes its shards one by one keeps only about log₂ V sums.
  public func merges(of nodes: [Range<Int>]) -> [Merge] {
    var next = 0
    var merges: [Merge] = []
    _ = collect(under: 0..<shards, nodes, &next, &merges)
    precondition(
      next == nodes.count, "\(nodes) are not nodes of the tree over \(shards) shards, left to right")
    return merges
  }

  /// The slot that holds the sum of `node` after the merges collected so far, or nil when parts of it are missing.
  private func collect(
    under node: Range<Int>, _ nodes: [Range<Int>], _ next: inout Int, _ merges: inout [Merge]
  ) -> Int? {
    guard next < nodes.count, nodes[next].lowerBound < node.upperBound else { return nil }
    if nodes[next] == node {
      next += 1
      return next - 1
    }
    guard node.count > 1 else { return nil }
    let middle = Self.middle(of: node)
    let left = collect(under: node.lowerBound..<middle, nodes, &next, &merges)
    let right = collect(under: middle..<node.upperBound, nodes, &next, &merges)
    guard let left, let right else { return nil }
    merges.append(Merge(into: left, from: right))
    return left
  }
}

/// Which rank holds which shards: rank r of R a contiguous run, sizes differing by at most one, longer runs first.
///
/// With more ranks than shards the last ranks hold none; they still own a slice of the parameters.
public struct ShardOwnership: Equatable, Sendable {
  /// The number of shards, V: the slices of the global batch.
  public let shards: Int
  /// The number of ranks, R.
  public let ranks: Int

  /// - Precondition: at least one shard and one rank.
  public init(shards: Int, ranks: Int) {
    precondition(shards > 0 && ranks > 0, "ownership needs at least one shard and one rank")
    self.shards = shards
    self.ranks = ranks
  }

  /// The shards of `rank`; empty at `shards ..< shards` when there are none left for it.
  public func shards(of rank: Int) -> Range<Int> {
    precondition(0 <= rank && rank < ranks, "rank \(rank) of \(ranks)")
    let (each, longer) = shards.quotientAndRemainder(dividingBy: ranks)
    let first = rank * each + min(rank, longer)
    return first..<first + each + (rank < longer ? 1 : 0)
  }

  /// The rank that holds `shard`.
  public func owner(of shard: Int) -> Int {
    precondition(0 <= shard && shard < shards, "shard \(shard) of \(shards)")
    let (each, longer) = shards.quotientAndRemainder(dividingBy: ranks)
    let inLongerRuns = longer * (each + 1)
    return shard < inLongerRuns ? shard / (each + 1) : longer + (shard - inLongerRuns) / each
  }
}
