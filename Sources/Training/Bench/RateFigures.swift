import Collectives
import Foundation
import TensorFiles

/// What a measurement found that is one rate.
struct RateFigures: Sendable {
  let recipe: String
  let ranks: Int
  let threads: Int
  /// What is counted: `utterances`.
  let unit: String
  let rates: Rounds
  /// MiB of the largest rank.
  let peakMemory: Double

  /// Collective.
  init<C: Communicator>(_ setup: BenchSetup<C>, unit: String, rates: Rounds, memory: Double) throws {
    recipe = setup.recipe
    ranks = setup.group.size
    threads = setup.threads
    self.unit = unit
    self.rates = rates
    peakMemory = Double(try setup.group.allGather(Int(memory * 1024)).max() ?? 0) / 1024
  }

  /// `utterances_per_s` and what it was measured with.
  var json: JSON {
    [
      "recipe": .string(recipe), "ranks": .integer(ranks), "threads": .integer(threads),
      "\(unit)_per_s": .number(rates.median),
      "\(unit)_per_s_spread": [.number(rates.spread.lowerBound), .number(rates.spread.upperBound)],
      "peak_rss_mib": .number(peakMemory),
    ]
  }

  /// The same for a person.
  func text(_ what: String) -> String {
    String(
      format: "%@: %.1f %@/s %@ (%.1f to %.1f by round), %d x %d threads, %.1f MiB at most in a rank", recipe,
      rates.median, unit, what, rates.spread.lowerBound, rates.spread.upperBound, ranks, threads, peakMemory)
  }
}
