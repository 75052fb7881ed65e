import Foundation
import TensorFiles

/// What `bench step` found.
struct StepFigures: Sendable {
  let recipe: String
  let ranks: Int
  /// Threads of each rank.
  let threads: Int
  let shards: Int
  let batchSize: Int
  let kernels: String
  /// Steps a second, by round.
  let stepsPerSecond: Rounds
  /// Matrix work of a step, as ``StepWork`` counts it.
  let gflopPerStep: Double
  /// GFLOP/s on the step's products alone, by round.
  let productPeak: Rounds
  /// MiB of the largest rank, the mapped corpus apart and with it.
  let peakMemory: Double, peakMemoryWithCorpus: Double
  let breakdown: PhaseBreakdown

  private var stepSeconds: Double { 1 / stepsPerSecond.median }
  private var gflopPerSecond: Double { gflopPerStep * stepsPerSecond.median }

  /// The JSON object of `bench step --json`.
  var json: JSON {
    let spread = stepsPerSecond.spread
    return [
      "recipe": .string(recipe), "ranks": .integer(ranks), "threads": .integer(threads),
      "steps_per_s": .number(stepsPerSecond.median),
      "steps_per_s_spread": [.number(spread.lowerBound), .number(spread.upperBound)],
      "gflop_per_step": .number(gflopPerStep), "gflop_per_s": .number(gflopPerSecond),
      "gemm_peak_gflop_per_s": .number(productPeak.median),
      "peak_rss_mib": .number(peakMemory), "peak_rss_with_data_mib": .number(peakMemoryWithCorpus),
      "seconds_compute": .number(stepSeconds - breakdown.communication),
      "seconds_communication": .number(breakdown.communication),
      "phases": .object(JSONObject(breakdown.entries.map { ($0.name, .number($0.seconds)) })),
      "shards": .integer(shards), "batch_size": .integer(batchSize), "kernels": .string(kernels),
    ]
  }

  /// The same for a person.
  var text: String {
    let spread = stepsPerSecond.spread
    var lines = [
      "\(recipe): \(counted(ranks, "rank", "ranks")), \(counted(threads, "thread", "threads")) each,"
        + " batch \(batchSize) in \(counted(shards, "shard", "shards")), \(kernels)",
      String(
        format:
          "%.2f steps/s (%.2f to %.2f by round), %.1f GFLOP/s of %.1f that the products alone reach (%.0f %%)",
        stepsPerSecond.median, spread.lowerBound, spread.upperBound, gflopPerSecond, productPeak.median,
        100 * gflopPerSecond / productPeak.median),
      String(
        format: "%.2f GFLOP a step; %.1f MiB at most in a rank (%.1f with the mapped data)", gflopPerStep,
        peakMemory, peakMemoryWithCorpus),
      "", "Where a step's time goes, the mean of all threads:",
    ]
    for (name, seconds) in breakdown.entries where seconds > 0 {
      lines.append(
        "  " + name.padding(toLength: 14, withPad: " ", startingAt: 0)
          + String(format: "%9.3f ms %6.1f %%", seconds * 1e3, 100 * seconds / stepSeconds))
    }
    lines.append(
      "  " + "step".padding(toLength: 14, withPad: " ", startingAt: 0)
        + String(format: "%9.3f ms", stepSeconds * 1e3))
    return lines.joined(separator: "\n")
  }
}

/// `1 rank`, `2 ranks`.
private func counted(_ count: Int, _ one: String, _ many: String) -> String {
  "\(count) \(count == 1 ? one : many)"
}
