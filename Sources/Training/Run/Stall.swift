import Collectives

/// A job that has come to a stop, and who is missing in it.
package struct Stall: Equatable {
  /// What was known of a rank when the stall was noticed.
  package struct Witness: Equatable {
    package let rank: Int
    /// The last that was heard of it; `nil` when nothing ever was.
    package let beat: Heartbeat?

    package init(rank: Int, beat: Heartbeat?) {
      self.rank = rank
      self.beat = beat
    }
  }

  /// Ranks of which nothing is heard any more.
  package let silent: [Witness]
  /// Ranks that are there, but do not get on with work of their own.
  package let stuck: [Witness]
  /// Ranks that wait for others.
  package let waiting: [Witness]

  package init(silent: [Witness], stuck: [Witness], waiting: [Witness]) {
    self.silent = silent
    self.stuck = stuck
    self.waiting = waiting
  }

  /// The stall in one line: the missing ranks, their hosts, where they stopped, and where the others wait.
  ///
  /// - Parameters:
  ///   - hosts: the name of every rank's host.
  ///   - timeout: the seconds after which a rank counts as missing.
  package func message(hosts: [String], timeout: Double) -> String {
    var parts: [String] = []
    let time = "for \(seconds(timeout)) s"
    for (missing, what) in [(silent, "been heard of"), (stuck, "moved")] {
      for (host, ranks) in grouped(missing, by: { hosts[$0.rank] }) {
        let has = ranks.count == 1 ? "has" : "have"
        parts.append("\(named(ranks)) on \(host) \(has) not \(what) \(time)\(lastSeen(ranks))")
      }
    }
    if parts.isEmpty {
      let places = byPlace(waiting).map { "\(named($0.ranks)) in \($0.name)" }.joined(separator: ", ")
      parts.append(
        "no rank has moved \(time), each waits for others: \(places); is a link between the hosts down?")
    } else if let most = byPlace(waiting).max(by: { $0.ranks.count < $1.ranks.count }) {
      parts.append("\(named(most.ranks)) \(most.ranks.count == 1 ? "waits" : "wait") in \(most.name)")
    }
    return parts.joined(separator: "; ") + "; --resume goes on from the last checkpoint"
  }

  /// Where ranks were last seen, if they agree on it.
  private func lastSeen(_ ranks: [Witness]) -> String {
    guard let place = ranks[0].beat.map(place), byPlace(ranks).count == 1 else { return "" }
    return " (last seen in \(place))"
  }

  private func place(_ beat: Heartbeat) -> String { "step \(beat.step), \(beat.operation.name)" }

  private func byPlace(_ ranks: [Witness]) -> [(name: String, ranks: [Witness])] {
    grouped(ranks) { $0.beat.map(place) ?? "an unknown place" }
  }

  /// The ranks of each name, in the order in which the names come up.
  private func grouped(_ ranks: [Witness], by name: (Witness) -> String) -> [(name: String, ranks: [Witness])]
  {
    var groups: [(name: String, ranks: [Witness])] = []
    for rank in ranks {
      let name = name(rank)
      if let index = groups.firstIndex(where: { $0.name == name }) {
        groups[index].ranks.append(rank)
      } else {
        groups.append((name, [rank]))
      }
    }
    return groups
  }

  /// "rank 3", "ranks 0, 1, 4-7".
  private func named(_ ranks: [Witness]) -> String {
    var runs: [ClosedRange<Int>] = []
    for rank in ranks.map(\.rank).sorted() {
      if let last = runs.last, last.upperBound + 1 == rank {
        runs[runs.count - 1] = last.lowerBound...rank
      } else {
        runs.append(rank...rank)
      }
    }
    let list = runs.flatMap { run in
      run.count > 2 ? ["\(run.lowerBound)-\(run.upperBound)"] : run.map(String.init)
    }
    return (ranks.count == 1 ? "rank " : "ranks ") + list.joined(separator: ", ")
  }

  private func seconds(_ time: Double) -> String {
    time == time.rounded() && time < 1e15 ? String(Int(time)) : time.description
  }
}
