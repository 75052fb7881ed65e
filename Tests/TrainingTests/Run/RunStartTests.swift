import Collectives
import Diagnostics
import Foundation
import TensorFiles
import TestSupport
import Testing
import Training

@Suite struct RunStartTests {
  let folder = TemporaryFolder()
  var run: String { "\(folder.path)/run" }

  func save(step: Int, in run: RunFiles?) throws {
    var progress = RunProgress(step: step, seed: 87, shards: 8)
    progress.data = 1
    let checkpoint = Checkpoint(
      progress: progress, model: NamedTensors(), optimizer: NamedTensors()
    )
    try run?.checkpoints.save(checkpoint)
  }

  @Test(arguments: [1, 2, 4]) func everyRankHasTheSameConfigurationAndRankZeroTheFiles(ranks: Int) throws {
    var job = TrainJob()
    job.runDirectory = run
    job.overrides = ["train.total_steps=500"]
    let prepared = job
    let started = try ThreadGroup.run(size: ranks) { group in
      let console = Console(talks: false)
      let configuration = try prepared.resolveConfiguration(group, console: console)
      let run = try prepared.openRun(configuration, corpus: 1, group, console: console)
      return (configuration, run != nil)
    }
    var expected = Configuration.builtIn
    expected.train.totalSteps = 500
    #expect(started.allSatisfy { $0.0 == expected })
    #expect(started.map(\.1) == [true] + Array(repeating: false, count: ranks - 1))
    #expect(try RunDirectory.open(run).configuration() == expected)
  }

  @Test func dataOrAFileTakeThePlaceOfTheBuiltInRecipe() throws {
    let console = Console(talks: false)
    var job = TrainJob()
    #expect(try job.resolveConfiguration(SoloGroup(), console: console) == .builtIn)
    job.data = "somewhere"
    #expect(try job.resolveConfiguration(SoloGroup(), console: console) == Configuration())
    job.data = nil
    job.configurationFile = try folder.write("model: {encoder: {layers: 2}}\n", to: "two-layers.yaml")
    let read = try job.resolveConfiguration(SoloGroup(), console: console)
    #expect(read.train.totalSteps == 70_000)
    #expect(read.model.encoder.layers == 2)
  }

  @Test func tooManyRanksAreToldOnAll() throws {
    let job = TrainJob()
    let refused = failure {
      _ = try ThreadGroup.run(size: 9) { try job.resolveConfiguration($0, console: Console(talks: false)) }
    }
    #expect(refused?.kind == .usage)
    #expect(refused?.message.contains("8 is too few for 9 processes") == true)
  }

  @Test(arguments: [("bn_linear", 128, true), ("linear", 1, false), ("linear", 128, false)])
  func aBatchOfOneHasNoStatistics(head: String, frames: Int, isRefused: Bool) {
    var job = TrainJob()
    job.overrides = [
      "train.batch_size=1", "train.shards=1", "model.head=\(head)", "train.segment_length=\(frames)",
    ]
    let refused = failure { _ = try job.resolveConfiguration(SoloGroup(), console: Console(talks: false)) }
    #expect((refused?.kind == .usage) == isRefused)
  }

  @Test func aRunIsResumedFromItsLatestCheckpoint() throws {
    let console = Console(talks: false)
    var job = TrainJob()
    job.runDirectory = run
    do {
      let configuration = try job.resolveConfiguration(SoloGroup(), console: console)
      let first = try job.openRun(configuration, corpus: 1, SoloGroup(), console: console)
      for step in [100, 200] { try save(step: step, in: first) }
      // The last of these was written after the checkpoint that the run will go on from.
      for step in [100, 200, 300] {
        try first?.metrics.append(
          Metrics(step: step, epoch: 0, split: .train, loss: 1, accuracy: 0, learningRate: 1e-3))
      }
    }
    // Without --resume the run is not touched.
    #expect(
      failure { _ = try job.openRun(Configuration(), corpus: 1, SoloGroup(), console: console) }?.kind
        == .usage)

    job.resume = true
    job.overrides = ["train.total_steps=5000"]
    let configuration = try job.resolveConfiguration(SoloGroup(), console: console)
    #expect(configuration.train.totalSteps == 5_000)
    #expect(configuration.train.warmupSteps == Configuration.builtIn.train.warmupSteps)
    let elsewhere = failure { _ = try job.openRun(configuration, corpus: 2, SoloGroup(), console: console) }
    #expect(elsewhere?.kind == .usage)
    #expect(elsewhere?.message.contains("trained on other speakers or utterances") == true)
    let second = try job.openRun(configuration, corpus: 1, SoloGroup(), console: console)
    #expect(second?.checkpoints.steps == [100, 200])
    #expect(second?.checkpoint?.progress.step == 200)
    #expect(folder.text("run/metrics.jsonl")?.split(separator: "\n").count == 2)
    #expect(try RunDirectory.open(run).configuration() == configuration)

    job.overrides = ["train.batch_size=64"]
    let refused = failure { _ = try job.resolveConfiguration(SoloGroup(), console: console) }
    #expect(refused?.message.contains("the run was started with 32 and cannot be resumed with 64") == true)
  }

  @Test func aRunKilledBeforeItsFirstCheckpointStartsAtZero() throws {
    let console = Console(talks: false)
    var job = TrainJob()
    job.runDirectory = run
    _ = try job.openRun(.builtIn, corpus: 1, SoloGroup(), console: console)
    job.resume = true
    #expect(try job.openRun(.builtIn, corpus: 1, SoloGroup(), console: console)?.checkpoints.steps == [])
    job.runDirectory = "\(run)-that-never-was"
    #expect(
      failure { _ = try job.openRun(.builtIn, corpus: 1, SoloGroup(), console: console) }?.kind
        == .missingInput)
  }
}
