import Diagnostics

/// What one rank brings to an exchange between threads: where its blocks for the others are, and where theirs go.
struct Contribution {
  /// Floats for (or from) a peer, and where they begin.
  typealias Block = (count: Int, offset: Int)

  private let send: UnsafePointer<Float>
  private let receive: UnsafeMutablePointer<Float>
  private let sendCounts: UnsafePointer<Int32>
  private let sendOffsets: UnsafePointer<Int32>
  private let receiveCounts: UnsafePointer<Int32>
  private let receiveOffsets: UnsafePointer<Int32>
  private let gathers: Bool

  init(allToAll plan: ExchangePlan, _ send: UnsafePointer<Float>, _ receive: UnsafeMutablePointer<Float>) {
    self.send = send
    self.receive = receive
    sendCounts = plan.sendCounts
    sendOffsets = plan.sendOffsets
    receiveCounts = plan.receiveCounts
    receiveOffsets = plan.receiveOffsets
    gathers = false
  }

  init(allGather plan: GatherPlan, _ values: UnsafeMutablePointer<Float>) {
    send = UnsafePointer(values)
    receive = values
    sendCounts = plan.counts
    sendOffsets = plan.offsets
    receiveCounts = plan.counts
    receiveOffsets = plan.offsets
    gathers = true
  }

  /// Copies what `rank` has for `peer` from `self` into `other`.
  func copy(from rank: Int, to peer: Int, _ other: Contribution) throws(Failure) {
    // In an all-gather a rank gives its own block to everyone; in place, so nothing to itself.
    let entry = gathers ? rank : peer
    let count = sendCounts[entry]
    guard gathers == other.gathers, count == other.receiveCounts[rank] else {
      throw Failure(
        .internalError,
        gathers != other.gathers
          ? "ranks \(rank) and \(peer) started different exchanges"
          : "rank \(rank) sends \(count) floats to rank \(peer), which expects \(other.receiveCounts[rank])")
    }
    if gathers && rank == peer { return }
    (other.receive + Int(other.receiveOffsets[rank])).update(
      from: send + Int(sendOffsets[entry]), count: Int(count))
  }
}

/// The exchanges in flight between threads. The n-th exchange a rank starts meets every other rank's n-th.
///
/// Not synchronised: `ThreadGroupState` calls everything but `copyBetweenEarlier` under its monitor.
final class ExchangeTable {
  /// A rank's arrival in an exchange: the `earlier` first of its arrivals came before.
  struct Arrival {
    let sequence: Int
    let earlier: Int
  }

  /// Exchanges that may be in flight; a rank that is further ahead waits.
  private static let depth = 64
  private let ranks: Int
  /// How many exchanges each rank has started.
  private var started: [Int]
  /// The number of the exchange in each slot (slot = number mod depth).
  private var sequence = Array(repeating: -1, count: depth)
  private var arrivals = Array(repeating: 0, count: depth)
  /// Copies made in each slot, of `ranks²`.
  private var copies: [Int]
  /// Copies made to and from each rank, `[depth, ranks]`, of `2 ranks` (its own counts twice).
  private var copiesOfRank: [Int]
  /// `[depth, ranks]`; memory of its own, as ranks read earlier arrivals' entries outside the monitor.
  private let contributions: UnsafeMutablePointer<Contribution>
  /// Which rank came when, `[depth, ranks]`.
  private let order: UnsafeMutablePointer<Int>

  init(ranks: Int) {
    self.ranks = ranks
    started = Array(repeating: 0, count: ranks)
    copies = Array(repeating: ranks * ranks, count: Self.depth)
    copiesOfRank = Array(repeating: 0, count: Self.depth * ranks)
    contributions = .allocate(capacity: Self.depth * ranks)
    order = .allocate(capacity: Self.depth * ranks)
    order.initialize(repeating: 0, count: Self.depth * ranks)
  }

  deinit {
    contributions.deallocate()
    order.deallocate()
  }

  /// Whether `rank` must wait, before its next exchange, for `peer` to start one that still takes up the slot.
  func blocks(_ rank: Int, by peer: Int) -> Bool { started[peer] + Self.depth <= started[rank] }

  /// Enters `rank` into its next exchange; nil while the slot is taken by one that is not complete.
  func arrive(_ contribution: Contribution, of rank: Int) -> Arrival? {
    let number = started[rank]
    let slot = number % Self.depth
    if sequence[slot] != number {
      guard copies[slot] == ranks * ranks else { return nil }
      sequence[slot] = number
      arrivals[slot] = 0
      copies[slot] = 0
      for peer in 0..<ranks { copiesOfRank[slot * ranks + peer] = 0 }
    }
    let earlier = arrivals[slot]
    (contributions + slot * ranks + rank).initialize(to: contribution)
    order[slot * ranks + earlier] = rank
    arrivals[slot] += 1
    started[rank] += 1
    return Arrival(sequence: number, earlier: earlier)
  }

  /// Copies between `rank` and every rank that came before it, both ways, and from `rank` to itself.
  ///
  /// Runs outside the monitor: the entries it reads were written before `rank` arrived, and the slot is not given
  /// to another exchange before these copies have been counted.
  func copyBetweenEarlier(_ arrival: Arrival, and rank: Int) throws(Failure) {
    let first = arrival.sequence % Self.depth * ranks
    let mine = contributions[first + rank]
    try mine.copy(from: rank, to: rank, mine)
    for earlier in 0..<arrival.earlier {
      let peer = order[first + earlier]
      let theirs = contributions[first + peer]
      try theirs.copy(from: peer, to: rank, mine)
      try mine.copy(from: rank, to: peer, theirs)
    }
  }

  /// Counts what `copyBetweenEarlier` has copied.
  func countCopies(of arrival: Arrival, of rank: Int) {
    let slot = arrival.sequence % Self.depth
    copies[slot] += 2 * arrival.earlier + 1
    copiesOfRank[slot * ranks + rank] += 2 * arrival.earlier + 2
    for earlier in 0..<arrival.earlier { copiesOfRank[slot * ranks + order[slot * ranks + earlier]] += 2 }
  }

  /// Whether all copies to and from `rank` have been made: also when its slot has been given to a later exchange.
  func isComplete(_ number: Int, for rank: Int) -> Bool {
    let slot = number % Self.depth
    return sequence[slot] != number || copiesOfRank[slot * ranks + rank] == 2 * ranks
  }

  /// Whether `rank` has started exchange `number`.
  func hasStarted(_ number: Int, _ rank: Int) -> Bool { started[rank] > number }
}
