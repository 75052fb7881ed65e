import Collectives
import Diagnostics
import Foundation
import SpeechData
import TensorFiles
import TestSupport
import Testing
import Measurement
import Training

/// `bench` on a small corpus and a small network, alone and on two ranks: what it prints, not how fast it was.
@Suite struct BenchJobTests {
  static let overrides = ["model.d_model=16", "model.encoder.feedforward=32", "train.segment_length=32"]

  let corpus = TemporaryFolder()

  init() throws {
    var job = SynthesizeJob(output: "\(corpus.path)/corpus")
    (job.speakers, job.utterances, job.seed) = (4, 72, 3)
    try job.run(SoloGroup(), console: Console(talks: false))
  }

  func job(_ subject: BenchJob.Subject) -> BenchJob {
    var job = BenchJob(subject)
    job.overrides = Self.overrides
    job.data = "\(corpus.path)/corpus"
    job.json = true
    job.seconds = 0.05
    job.threads = 2
    return job
  }

  /// The one JSON object on standard output.
  func result(_ job: BenchJob, ranks: Int = 1) throws -> JSON {
    let recorded = RecordedConsole(json: true)
    if ranks == 1 {
      try job.run(SoloGroup(), console: recorded.console)
    } else {
      nonisolated(unsafe) let console = recorded.console!  // used by the thread of rank 0 alone
      _ = try ThreadGroup.run(size: ranks) { group in
        try job.run(group, console: group.rank == 0 ? console : Console(talks: false))
      }
    }
    let output = recorded.output
    #expect(output.split(separator: "\n").count == 1)
    return try JSON.parse(Array(output.utf8), name: "bench")
  }

  @Test("a step is measured, and its phases add up to it", arguments: [1, 2]) func step(ranks: Int) throws {
    let result = try result(job(.step), ranks: ranks)
    let rate = try #require(result["steps_per_s"]?.double)
    #expect(result["recipe"]?.string == "003-sample")
    #expect(result["ranks"]?.int == ranks)
    #expect(result["threads"]?.int == 2)
    #expect(rate > 0)
    let spread = try #require(result["steps_per_s_spread"]?.array).compactMap(\.double)
    #expect(spread.count == 2 && spread[0] <= rate && rate <= spread[1])

    let gflop = try #require(result["gflop_per_step"]?.double)
    #expect(abs(try #require(result["gflop_per_s"]?.double) - gflop * rate) < 1e-9 * gflop * rate)
    #expect(try #require(result["gemm_peak_gflop_per_s"]?.double) > 0)
    #expect(try #require(result["peak_rss_mib"]?.double) > 1)

    let compute = try #require(result["seconds_compute"]?.double)
    let communication = try #require(result["seconds_communication"]?.double)
    #expect(communication > 0)
    #expect(abs(compute + communication - 1 / rate) < 1e-9 / rate)

    let phases = try #require(result["phases"]?.object)
    let names = ["products", "softmax", "normalization", "activation", "dropout", "convolution", "exchange"]
    #expect(Set(names + ["optimizer", "data", "other", "idle"]) == Set(phases.keys))
    #expect(abs(phases.values.compactMap(\.double).reduce(0, +) - 1 / rate) < 1e-9 / rate)
    for name in ["products", "softmax", "dropout", "data", "exchange", "optimizer"] {
      #expect(try #require(phases[name]?.double) > 0, "\(name)")
    }
    // A thread is not at work for longer than there is.
    #expect(try #require(phases["idle"]?.double) > -0.01 / rate)
  }

  @Test("a BatchNorm that waits for other slices is not counted as work") func batchNorm() throws {
    var job = job(.step)
    job.overrides += ["model.head=bn_linear", "model.encoder.kind=conformer", "model.encoder.kernel=5"]
    let phases = try #require(try result(job)["phases"]?.object)
    let sum = phases.values.compactMap(\.double).reduce(0, +)
    #expect(try #require(phases["convolution"]?.double) > 0)
    #expect(try #require(phases["idle"]?.double) > -0.01 * sum)
  }

  @Test("a trace holds the events of every rank and thread, by name") func trace() throws {
    let folder = TemporaryFolder()
    var job = job(.step)
    job.trace = "\(folder.path)/trace.json"
    _ = try result(job, ranks: 2)
    let events = try #require(try JSON.read(path: job.trace!)["traceEvents"]?.array)
    for rank in 0..<2 {
      let mine = events.filter { $0["pid"]?.int == rank }
      #expect(mine.contains { $0["ph"]?.string == "M" && $0["name"]?.string == "process_name" })
      let complete = mine.filter { $0["ph"]?.string == "X" }
      for name in ["products", "softmax", "data", "exchange", "optimizer", "step 9"] {
        #expect(complete.contains { $0["name"]?.string == name }, "\(name) on rank \(rank)")
      }
      #expect(complete.allSatisfy { $0["ts"]!.double! >= 0 && $0["dur"]!.double! >= 0 })
      // Every thread with events has a name.
      let named = mine.filter { $0["name"]?.string == "thread_name" }.compactMap { $0["tid"]?.int }
      #expect(Set(named) == Set(complete.compactMap { $0["tid"]?.int }))
    }
  }

  @Test(
    "validation, inference and reading have a rate", arguments: [BenchJob.Subject.validate, .infer, .data])
  func rates(subject: BenchJob.Subject)
    throws
  {
    let result = try result(job(subject), ranks: 2)
    let unit = subject == .data ? "segments" : "utterances"
    #expect(try #require(result["\(unit)_per_s"]?.double) > 0)
    #expect(result["ranks"]?.int == 2)
  }

  @Test("both reductions are measured, at every size") func reductions() throws {
    let sizes = try #require(try result(job(.allreduce), ranks: 2)["sizes"]?.array)
    #expect(sizes.count == 5)
    for size in sizes {
      #expect(try #require(size["seconds_ordered"]?.double) > 0)
      #expect(try #require(size["seconds_allreduce"]?.double) > 0)
    }
  }

  @Test("options that make no sense together are refused") func senseless() {
    var timeline = job(.infer)
    timeline.trace = "/tmp/trace.json"
    var never = job(.step)
    never.seconds = 0
    for job in [timeline, never] {
      let failure = #expect(throws: Failure.self) { _ = try result(job) }
      #expect(failure?.kind == .usage)
    }
  }
}
