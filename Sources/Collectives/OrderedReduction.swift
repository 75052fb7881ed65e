import Diagnostics

/// Sums a part of a flat buffer over all shards, in tree order, each rank receiving the range of the sum that it owns; then
/// returns every rank's updated range of the parameters to all.
///
/// A step of the optimizer, sharded as in ZeRO stage 1 (Rajbhandari et al., 2020):
///
///     reduction.start(roots: gradients)          // while the backward pass goes on
///     reduction.finish(into: ownedGradient)      // the sum over all shards, the same bits on any number of ranks
///     … update parameters[reduction.owned] …
///     reduction.startGather(parameters)
///     reduction.finishGather()
///
/// The bytes moved are those of a ring all-reduce when every rank's run of shards is one node of the tree. A rank
/// whose run is several nodes sends each of them: they cannot be added before the tree says so.
///
/// Pointers are to element 0 of the flat buffers, and ranges are in their elements, unless said otherwise. Several
/// reductions (buckets) may be in flight on one communicator, started in the same order on every rank. Not for use
/// from two threads at a time, but for `sum`.
public final class OrderedReduction<C: Communicator> {
  /// The elements of the flat buffer that are reduced.
  public let range: Range<Int>
  /// The elements this rank sums, updates and gives back; `owned(by: rank)`.
  public let owned: Range<Int>
  /// The nodes of the tree this rank adds up before `start`: one root, a flat buffer, for each.
  public let localRoots: [Range<Int>]

  private let communicator: C
  private let ownedByRank: [Range<Int>]
  /// Exchange i carries every rank's root i, so that roots go out from where they lie.
  private let exchanges: [ExchangePlan]
  private let gatherPlan: GatherPlan
  private let treeSum: TreeSum
  private var requests: [C.Request]
  private var gatherRequest = C.Request()
  /// The other ranks' roots, cut to what this rank owns.
  private let received: AlignedFloats
  /// For each exchange what goes over the wire in its place when nodes are bfloat16; none for floats.
  private let halves: [HalfExchange]
  /// What a rank without a root sends none of: MPI wants another address than `received`.
  private let nothing = AlignedFloats(count: 0)
  /// Where each root of the whole tree, cut to what this rank owns, begins; in tree order.
  private let pieces: UnsafeMutablePointer<UnsafePointer<Float>>
  private let ownPieces: Range<Int>

  /// Builds the plans; allocates the receive buffer (at most the range's size times the other ranks' roots
  /// over the number of ranks).
  ///
  /// - Parameters:
  ///   - ownership: how the shards lie on the ranks of `communicator`.
  ///   - range: the elements of the flat buffer to reduce; the same on all ranks.
  ///   - granularity: boundaries between owned ranges are multiples of this many floats. With 1024, say, sums over blocks
  ///     of 1024 floats (for a norm) are each made by one rank, the same bits on any number of ranks.
  ///   - precision: what every node of the tree is rounded to, and sent as. The roots given to `start` must have
  ///     been rounded at every node below them.
  /// - Throws: `Failure.usage` when the range lies beyond the 2³¹ floats that MPI counts.
  public init(
    _ communicator: C, ownership: ShardOwnership, range: Range<Int>, granularity: Int = 16,
    precision: NodePrecision = .f32
  ) throws(Failure) {
    precondition(ownership.ranks == communicator.size, "ownership is for \(ownership.ranks) ranks")
    let (rank, size) = (communicator.rank, communicator.size)
    let tree = ShardTree(shards: ownership.shards)
    let rootsOfRank = (0..<size).map { tree.subtrees(of: ownership.shards(of: $0)) }
    let roots = rootsOfRank.flatMap { $0 }
    let ownedByRank = Self.cut(range, ranks: size, granularity: granularity)
    self.communicator = communicator
    self.range = range
    self.ownedByRank = ownedByRank
    owned = ownedByRank[rank]
    localRoots = rootsOfRank[rank]
    treeSum = TreeSum(of: roots, in: tree, precision: precision)
    gatherPlan = try GatherPlan(counts: ownedByRank.map(\.count), offsets: ownedByRank.map(\.lowerBound))

    // Received pieces lie one after the other in tree order, each from a cache line's boundary.
    let stride = (ownedByRank[rank].count + 15) / 16 * 16
    let firstPiece = rootsOfRank.indices.map { rank in rootsOfRank[..<rank].reduce(0) { $0 + $1.count } }
    let own = firstPiece[rank]..<firstPiece[rank] + rootsOfRank[rank].count
    let slot = { (piece: Int) in (piece < own.lowerBound ? piece : piece - own.count) * stride }
    received = AlignedFloats(count: (roots.count - own.count) * stride)
    ownPieces = own
    pieces = .allocate(capacity: roots.count)
    for piece in roots.indices {
      (pieces + piece).initialize(to: own.contains(piece) ? received.start : received.start + slot(piece))
    }

    // With one rank nothing moves. Otherwise root i of each rank goes, cut in owned ranges, to the other ranks.
    let rounds = size == 1 ? 0 : rootsOfRank.map(\.count).max() ?? 0
    var exchanges: [ExchangePlan] = []
    for round in 0..<rounds {
      let sends = { (peer: Int) in peer != rank && round < rootsOfRank[rank].count }
      let receives = { (peer: Int) in peer != rank && round < rootsOfRank[peer].count }
      let plan = try ExchangePlan(
        sendCounts: (0..<size).map { sends($0) ? ownedByRank[$0].count : 0 },
        sendOffsets: ownedByRank.map(\.lowerBound),
        receiveCounts: (0..<size).map { receives($0) ? ownedByRank[rank].count : 0 },
        receiveOffsets: (0..<size).map { receives($0) ? slot(firstPiece[$0] + round) : 0 })
      exchanges.append(plan)
    }
    var halves: [HalfExchange] = []
    if precision == .bf16 { for plan in exchanges { halves.append(try HalfExchange(of: plan)) } }
    self.halves = halves
    self.exchanges = exchanges
    requests = exchanges.map { _ in C.Request() }
  }

  deinit { pieces.deallocate() }

  /// The elements that `rank` sums and updates: contiguous, in rank order, covering `range`; possibly empty.
  public func owned(by rank: Int) -> Range<Int> { ownedByRank[rank] }

  /// Starts sending this rank's roots.
  ///
  /// - Parameter roots: one flat buffer for each of `localRoots`, holding the sum over that node's shards. They must
  ///   stay in place, not written, until `finish` (or `wait` and the last `sum`) has returned.
  public func start(roots: [UnsafePointer<Float>]) throws(Failure) {
    precondition(roots.count == localRoots.count, "\(localRoots.count) roots expected, not \(roots.count)")
    for (piece, root) in zip(ownPieces, roots) { pieces[piece] = root + owned.lowerBound }
    for (round, plan) in exchanges.enumerated() {
      // A rank with fewer roots than others sends nothing in the last rounds.
      let root = round < roots.count ? roots[round] : UnsafePointer(nothing.start)
      if halves.isEmpty {
        requests[round] = try communicator.startAllToAll(plan, send: root, receive: received.start)
      } else {
        requests[round] = try halves[round].start(communicator, root)
      }
    }
  }

  /// Moves communication on; true when all roots have arrived.
  public func test() throws(Failure) -> Bool {
    var done = true
    for round in requests.indices {
      let arrived = try communicator.test(&requests[round])
      done = done && arrived
    }
    return done
  }

  /// Returns when all roots have arrived; `sum` may then be called.
  public func wait() throws(Failure) {
    for round in requests.indices {
      try communicator.wait(&requests[round])
      if !halves.isEmpty { halves[round].unpack(into: received.start) }
    }
  }

  /// Sums some of the owned elements over all shards, after `wait`; threads may share it out.
  ///
  /// - Parameters:
  ///   - part: elements of the flat buffer within `owned`.
  ///   - output: where the sum of element `part.lowerBound` goes. May be that very element of a root: in place.
  public func sum(_ part: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    precondition(
      owned.lowerBound <= part.lowerBound && part.upperBound <= owned.upperBound, "\(part) in \(owned)")
    treeSum(
      UnsafePointer(pieces), offset: part.lowerBound - owned.lowerBound, count: part.count, into: output)
  }

  /// Waits for the roots and sums all that this rank owns.
  ///
  /// - Parameter output: where the sum of element `owned.lowerBound` goes. May be that very element of a root.
  public func finish(into output: UnsafeMutablePointer<Float>) throws(Failure) {
    try wait()
    sum(owned, into: output)
  }

  /// Starts giving this rank's range of `parameters` to all, and completing the bucket from the others'.
  ///
  /// In the eager lane: ranks may start it earlier or later between their other calls.
  ///
  /// The range of `parameters` must stay in place, untouched, until `finishGather` has returned.
  public func startGather(_ parameters: UnsafeMutablePointer<Float>) throws(Failure) {
    if communicator.size == 1 { return }
    gatherRequest = try communicator.startAllGather(gatherPlan, inPlace: parameters, lane: .eager)
  }

  /// Moves communication on; true when all of them are in place.
  public func testGather() throws(Failure) -> Bool { try communicator.test(&gatherRequest) }

  /// Returns when all of them are in place.
  public func finishGather() throws(Failure) {
    try communicator.wait(&gatherRequest)
  }

  /// Cuts `range` at multiples of `granularity` into one range a rank, as equal as that allows.
  private static func cut(_ range: Range<Int>, ranks: Int, granularity: Int) -> [Range<Int>] {
    precondition(granularity > 0 && range.lowerBound >= 0, "ranges of \(range) by \(granularity)")
    let first = range.lowerBound / granularity
    let units = (range.upperBound + granularity - 1) / granularity - first
    return (0..<ranks).map { rank in
      let bounds = [rank, rank + 1].map { (first + units * $0 / ranks) * granularity }
      return (bounds[0]..<bounds[1]).clamped(to: range)
    }
  }
}
