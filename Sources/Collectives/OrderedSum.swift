import Diagnostics

/// Sums a few floats over all shards in tree order, on every rank: BatchNorm's statistics, losses, counts of hits.
///
/// Small next to a gradient, so every rank gathers all roots and does the same additions. The plan and the memory
/// are made once; a call allocates nothing.
public final class OrderedSum<C: Communicator> {
  /// How many floats each shard contributes.
  public let count: Int
  private let communicator: C
  private let plan: GatherPlan
  /// For each of this rank's roots: the first of its shards here, and the sum over them.
  private let localSums: [(firstShard: Int, sum: TreeSum)]
  private let ownRoots: Range<Int>
  private let allRoots: TreeSum
  /// Every root, in tree order, `[roots, count]`.
  private let roots: AlignedFloats
  private let rootPointers: UnsafeMutablePointer<UnsafePointer<Float>>
  private let shardPointers: UnsafeMutablePointer<UnsafePointer<Float>>
  private let localShards: Int
  private var request = C.Request()

  /// - Parameters:
  ///   - ownership: how the shards lie on the ranks of `communicator`.
  ///   - count: floats from each shard.
  /// - Throws: `Failure.usage` when that is more than MPI counts.
  public init(_ communicator: C, ownership: ShardOwnership, count: Int) throws(Failure) {
    precondition(ownership.ranks == communicator.size, "ownership is for \(ownership.ranks) ranks")
    let tree = ShardTree(shards: ownership.shards)
    let rootsOfRank = (0..<communicator.size).map { tree.subtrees(of: ownership.shards(of: $0)) }
    let firstRoot = rootsOfRank.indices.map { rank in rootsOfRank[..<rank].reduce(0) { $0 + $1.count } }
    let allNodes = rootsOfRank.flatMap { $0 }
    let local = ownership.shards(of: communicator.rank)
    self.communicator = communicator
    self.count = count
    plan = try GatherPlan(counts: rootsOfRank.map { $0.count * count }, offsets: firstRoot.map { $0 * count })
    localSums = rootsOfRank[communicator.rank].map { node in
      (node.lowerBound - local.lowerBound, TreeSum(of: node.map { $0..<$0 + 1 }, in: tree))
    }
    ownRoots = firstRoot[communicator.rank]..<firstRoot[communicator.rank] + localSums.count
    allRoots = TreeSum(of: allNodes, in: tree)
    roots = AlignedFloats(count: allNodes.count * count)
    localShards = local.count
    rootPointers = .allocate(capacity: allNodes.count)
    for root in allNodes.indices {
      (rootPointers + root).initialize(to: UnsafePointer(roots.start + root * count))
    }
    shardPointers = .allocate(capacity: max(localShards, 1))
    shardPointers.initialize(repeating: UnsafePointer(roots.start), count: max(localShards, 1))
  }

  deinit {
    rootPointers.deallocate()
    shardPointers.deallocate()
  }

  /// The sum over all shards, the same bits on every rank and on any number of ranks.
  ///
  /// - Parameters:
  ///   - shardValues: `[this rank's shards, count]`, in shard order.
  ///   - result: `[count]`; may be the first row of `shardValues`.
  public func sum(
    _ shardValues: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>
  ) throws(Failure) {
    try start(shardValues)
    try finish(into: result)
  }

  /// The first half of ``sum(_:into:)``: `shardValues` may change as soon as it returns.
  public func start(_ shardValues: UnsafePointer<Float>) throws(Failure) {
    for shard in 0..<localShards { shardPointers[shard] = shardValues + shard * count }
    for (root, local) in zip(ownRoots, localSums) {
      local.sum(
        UnsafePointer(shardPointers + local.firstShard), count: count, into: roots.start + root * count)
    }
    if communicator.size > 1 {
      request = try communicator.startAllGather(plan, inPlace: roots.start, lane: .main)
    }
  }

  /// Moves communication on; true when ``finish(into:)`` would not wait.
  public func test() throws(Failure) -> Bool { try communicator.test(&request) }

  /// The second half.
  public func finish(into result: UnsafeMutablePointer<Float>) throws(Failure) {
    try communicator.wait(&request)
    allRoots(UnsafePointer(rootPointers), count: count, into: result)
  }
}
