import Collectives
import DataParallel
import Diagnostics
import Foundation
import SpeakerNet
import TensorCore
import TensorFiles
import Training

/// The options of `plan`, and the work: what a step would take on a cluster that is not there.
public struct PlanJob: Job {
  /// The configuration of the network and its training; `nil` for the defaults.
  public var configurationFiles: [String] = []
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// The most ranks to plan for; the table doubles up to there.
  public var ranks: Int
  /// Microseconds from one rank to another.
  public var latency: Double
  /// Microseconds that a rank is busy with each message.
  public var messageOverhead = 2.0
  /// Gigabits a second of each rank's link, in both directions at once.
  public var bandwidth: Double
  /// Threads of each rank.
  public var threads = 1
  /// Speakers of the data; `nil` for the homework's.
  public var speakers: Int?
  /// Cores that all ranks share, as in a trial on one machine; `nil` when every thread has a core of its own.
  public var sharedCores: Int?
  /// Seconds to measure.
  public var seconds = 4.0
  /// Whether the result is one JSON object.
  public var json = false

  /// A plan for up to `ranks` ranks, joined by links of `latency` µs and `bandwidth` Gbit/s.
  public init(ranks: Int, latency: Double, bandwidth: Double) {
    self.ranks = ranks
    self.latency = latency
    self.bandwidth = bandwidth
  }

  /// Measures on rank 0 and predicts; other ranks, if there are any, have nothing to do.
  ///
  /// - Throws: `usage` for figures that no cluster has.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    try communicator.agreeing {
      try check()
      let configuration = try Configuration.load(files: configurationFiles, overrides: overrides)
      guard communicator.rank == 0 else { return }
      KernelSet.start()
      let table = try plan(configuration)
      try console.result(json ? table.json.serialized() : table.text)
    }
  }

  private func plan(_ configuration: Configuration) throws -> PlanTable {
    let model = try SpeakerModel(configuration.model, speakers: speakers ?? Recipe.speakers)
    let shape = configuration.batchShape
    let train = configuration.train
    let buckets = GradientBuckets(model.layout, ExchangeSettings(overlaps: train.overlap))
    let profile = StepProfile(model, shape: shape, buckets: buckets, seconds: 0.4 * seconds)
    let passes = try passSeconds(of: configuration, model, profile)
    let link = LinkModel(
      latency: latency * 1e-6, perMessage: messageOverhead * 1e-6, bandwidth: bandwidth * 1e9 / 8)
    let rows = rankCounts.map { ranks in
      StepPrediction(
        profile, passSeconds: passes[load(ranks, shape)], link: link, ranks: ranks, threads: threads,
        shape: shape, overlap: train.overlap,
        gradientBytes: train.exchange == .bf16 ? 2 : 4, sharedCores: sharedCores)
    }
    return PlanTable(job: self, kernels: KernelSet.name, profile: profile, shape: shape, rows: rows)
  }

  /// What a slice takes in a rank's own step, for every load that the table has.
  private func passSeconds(
    of configuration: Configuration, _ model: SpeakerModel, _ profile: StepProfile
  ) throws -> [RankBench.Load: Double] {
    let bench = RankBench(configuration: configuration, model: model, shape: configuration.batchShape)
    let loads = Set(rankCounts.map { load($0, bench.shape) })
    var passes = try bench.seconds(loads, for: 0.6 * seconds)
    for (load, step) in passes { passes[load] = profile.passSeconds(ofStep: step, slices: load.slices) }
    return passes
  }

  /// A rank of so many, and those that compute beside it on this machine's cores.
  private func load(_ ranks: Int, _ shape: BatchShape) -> RankBench.Load {
    let slices = ShardOwnership(shards: max(shape.shards, ranks), ranks: ranks).shards(of: 0).count
    return RankBench.Load(slices: slices, threads: threads, copies: min(ranks, sharedCores ?? 1))
  }

  /// 1, 2, 4, … and the number asked for.
  private var rankCounts: [Int] {
    sequence(first: 1) { $0 * 2 }.prefix { $0 < ranks } + [ranks]
  }

  private func check() throws {
    func require(_ condition: Bool, _ flag: String, _ expected: String, _ found: String) throws {
      if !condition { throw Failure(.usage, "\(flag): expected \(expected), found \(found)") }
    }
    try require((1...65_536).contains(ranks), "--ranks", "a number from 1 to 65536", "\(ranks)")
    try require(latency >= 0 && latency < 1e7, "--latency", "microseconds, 0 or more", "\(latency)")
    try require(
      messageOverhead >= 0 && messageOverhead < 1e6, "--message-overhead", "microseconds, 0 or more",
      "\(messageOverhead)")
    try require(bandwidth > 0 && bandwidth < 1e6, "--bandwidth", "gigabits a second, above 0", "\(bandwidth)")
    try require(threads >= 1, "--threads", "1 or more", "\(threads)")
    try require(sharedCores ?? 1 >= 1, "--shared-cores", "1 or more", "\(sharedCores ?? 1)")
    try require(speakers ?? 1 >= 1, "--speakers", "1 or more", "\(speakers ?? 1)")
    try require(seconds > 0 && seconds <= 3_600, "--seconds", "above 0 and at most 3600", "\(seconds)")
  }
}

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
