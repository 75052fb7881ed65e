import Foundation
import TensorFiles

/// Predictions over numbers of ranks.
struct PlanTable {
  let job: PlanJob
  let kernels: String
  let profile: StepProfile
  let shape: BatchShape
  let rows: [StepPrediction]

  /// Samples a second for a rank, as a part of what one rank alone does.
  private func efficiency(_ row: StepPrediction) -> Double {
    row.samplesPerSecond / Double(row.ranks) / rows[0].samplesPerSecond
  }

  /// The last number of ranks of which each does at least half of what it would do alone.
  private var lastThatPays: Int { rows.last { efficiency($0) >= 0.5 }?.ranks ?? 1 }

  /// The JSON object of `plan --json`: seconds and bytes.
  var json: JSON {
    [
      "latency_us": .number(job.latency), "message_overhead_us": .number(job.messageOverhead),
      "bandwidth_gbit_per_s": .number(job.bandwidth), "threads": .integer(job.threads),
      "kernels": .string(kernels), "parameters": .integer(profile.parameters),
      "measured": [
        "seconds_per_slice": .number(profile.passSeconds),
        "samples_per_slice": .integer(shape.samplesPerShard),
        "seconds_until_bucket": .array(profile.bucketSeconds.map { .number($0) }),
        "bucket_bytes": .array(profile.buckets.map { .integer($0 * 4) }),
        "batch_norm_sums": .integer(profile.batchSums.count),
        "optimizer_seconds_per_parameter": .number(profile.optimizerSeconds),
      ],
      "rows": .array(
        rows.map { row in
          [
            "ranks": .integer(row.ranks), "shards": .integer(row.shards),
            "batch_size": .integer(row.batchSize),
            "seconds_per_slice": .number(row.passSeconds), "seconds_step": .number(row.stepSeconds),
            "seconds_compute": .number(row.computeSeconds),
            "seconds_waiting": .number(row.waitSeconds), "seconds_bytes": .number(row.wireSeconds),
            "steps_per_s": .number(1 / row.stepSeconds), "samples_per_s": .number(row.samplesPerSecond),
            "efficiency": .number(efficiency(row)), "sent_bytes_per_rank": .number(row.sentBytes),
            "memory_bytes_per_rank": .number(row.memoryBytes),
          ]
        }),
      "last_ranks_that_pay": .integer(lastThatPays),
    ]
  }

  /// The same for a person.
  var text: String {
    let head = String(
      format: "%d parameters, %@, %d %@ a rank; links of %g µs and %g Gbit/s, %g µs a message\n"
        + "measured here: %.2f ms for a slice of %d samples; %d %@ of the gradient, %d BatchNorm sums a step\n",
      profile.parameters, kernels, job.threads, job.threads == 1 ? "thread" : "threads", job.latency,
      job.bandwidth, job.messageOverhead, profile.passSeconds * 1e3, shape.samplesPerShard,
      profile.buckets.count, profile.buckets.count == 1 ? "bucket" : "buckets", profile.batchSums.count)
    let columns =
      " ranks   batch   step ms  compute ms  waiting ms  bytes ms  samples/s  efficiency  MiB a rank"
    let lines = rows.map { row in
      String(
        format: "%6d %7d %9.3f %11.3f %11.3f %9.3f %10.0f %10.0f%% %11.1f", row.ranks, row.batchSize,
        row.stepSeconds * 1e3, row.computeSeconds * 1e3, row.waitSeconds * 1e3, row.wireSeconds * 1e3,
        row.samplesPerSecond, 100 * efficiency(row), row.memoryBytes / 1_048_576)
    }
    let end =
      lastThatPays == rows.last?.ranks
      ? "Up to here every rank does at least half of what it does alone."
      : "Beyond \(lastThatPays) ranks each does less than half of what it does alone."
    let growth =
      rows.contains { $0.shards > shape.shards }
      ? "\nBeyond \(shape.shards) ranks every rank keeps one slice, so the batch grows." : ""
    return ([head, columns] + lines).joined(separator: "\n") + "\n\n" + end + growth
  }
}
