import Collectives

/// What one rank has heard of others, and whether somebody is missing.
///
/// Time is in seconds of the keeper's own clock, from any start.
package struct WatchdogLedger {
  private struct Entry {
    var beat: Heartbeat?
    var time: Double
  }

  private let timeout: Double
  private var entries: [Int: Entry]

  /// - Parameters:
  ///   - ranks: the ranks to be heard of.
  ///   - timeout: seconds after which a rank that is not heard of, or does not move, is missing.
  ///   - time: now; nobody is missed before `timeout` has passed.
  package init(ranks: some Sequence<Int>, timeout: Double, at time: Double) {
    self.timeout = timeout
    entries = Dictionary(uniqueKeysWithValues: ranks.map { ($0, Entry(time: time)) })
  }

  /// Takes in a heartbeat of `rank`.
  package mutating func hear(_ beat: Heartbeat, from rank: Int, at time: Double) {
    entries[rank] = Entry(beat: beat, time: time)
  }

  /// The stall, if there is one.
  ///
  /// Somebody is missing when nothing is heard of a rank, or when a rank does not get on with work of its own. A rank
  /// that waits for others is not to blame, however long they take; but when all wait, none will ever move.
  package func stall(at time: Double) -> Stall? {
    var silent: [Stall.Witness] = [], stuck: [Stall.Witness] = [], waiting: [Stall.Witness] = []
    var anyMoves = false
    for (rank, entry) in entries.sorted(by: { $0.key < $1.key }) {
      let witness = Stall.Witness(rank: rank, beat: entry.beat)
      // A rank that has ended is not missed: others learn from its exit status what became of it.
      if entry.beat?.isLast == true { continue }
      let isStill = entry.beat.map { $0.stillness >= timeout } ?? false
      if time - entry.time >= timeout {
        silent.append(witness)
      } else if isStill, entry.beat?.isWaiting == false {
        stuck.append(witness)
      } else {
        if entry.beat?.isWaiting == true { waiting.append(witness) }
        anyMoves = anyMoves || !isStill
      }
    }
    let isStalled = !silent.isEmpty || !stuck.isEmpty || (!anyMoves && !waiting.isEmpty)
    return isStalled ? Stall(silent: silent, stuck: stuck, waiting: waiting) : nil
  }
}
