import Collectives
import TensorCore

/// Where the threads of all ranks spend a step.
///
/// The whole is every thread's time, `ranks × threads × step`; a phase's share of it is given as seconds of a step,
/// so that the phases add up to the step.
struct PhaseBreakdown: Sendable {
  /// Seconds of a step by phase. `other` is work that no phase claims.
  private(set) var seconds: [Double]
  /// Seconds of a step in which a thread had nothing to do: waiting for another thread or, outside an exchange, for
  /// another rank.
  let idle: Double
  /// Seconds of a step in which a rank exchanges with others, the waiting for them included.
  let communication: Double

  /// Adds up the clocks of all ranks. Collective.
  ///
  /// - Parameters:
  ///   - clocks: of a run of steps on this rank: one for each slice under way, and the exchanging thread's.
  ///   - runSeconds: how long that run took.
  ///   - stepSeconds: what a step takes without clocks, to which the shares are applied.
  init<C: Communicator>(
    _ group: C, clocks: (workers: [PhaseClock], exchange: PhaseClock), threads: Int, runSeconds: Double,
    stepSeconds: Double
  ) throws {
    let phases = Phase.allCases.count
    var mine = [UInt64](repeating: 0, count: phases + 2)  // phases, busy, communication
    for clock in clocks.workers {
      for phase in 0..<phases { mine[phase] += clock.totals[phase] }
      mine[phases] += clock.busy
    }
    for phase in 0..<phases {
      mine[phase] += clocks.exchange.totals[phase]
      mine[phases] += clocks.exchange.totals[phase]
    }
    let exchanged = clocks.workers.reduce(0) { $0 + $1.totals[Phase.exchange.rawValue] }
    mine[phases + 1] = exchanged / UInt64(threads) + clocks.exchange.totals[Phase.exchange.rawValue]

    let sums = try Self.sum(mine, group)
    let whole = Double(group.size * threads) * runSeconds * 1e9
    var seconds = (0..<phases).map { Double(sums[$0]) / whole * stepSeconds }
    let busy = Double(sums[phases]) / whole * stepSeconds
    seconds[Phase.other.rawValue] = max(0, busy - seconds.reduce(0, +) + seconds[Phase.other.rawValue])
    self.seconds = seconds
    idle = stepSeconds - seconds.reduce(0, +)
    communication = Double(sums[phases + 1]) / (Double(group.size) * runSeconds * 1e9) * stepSeconds
  }

  /// Names and seconds of a step, `idle` last.
  var entries: [(name: String, seconds: Double)] {
    Phase.allCases.map { (String(describing: $0), seconds[$0.rawValue]) } + [("idle", idle)]
  }

  private static func sum<C: Communicator>(_ mine: [UInt64], _ group: C) throws -> [UInt64] {
    try mine.map { try group.allGather($0).reduce(0, +) }
  }
}
