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
