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
    var progress = RunProgress(step: step, configuration: .builtIn)
    progress.data = 1
    let checkpoint = Checkpoint(
      progress: progress, model: NamedTensors(), optimizer: NamedTensors()
    )
    try run?.checkpoints.save(checkpoint)
  }

  @Test("every rank has the same configuration, and rank 0 alone the files", arguments: [1, 2, 4])
  func allRanks(ranks: Int) throws {
    var job = TrainJob()
    job.runDirectory = run
    job.overrides = ["train.total_steps=500"]
    let prepared = job
    let started = try ThreadGroup.run(size: ranks) { group in
      let console = Console(talks: false)
      let start = try prepared.resolveStart(group, console: console)
      let run = try prepared.openRun(start, corpus: 1, group, console: console)
      return (start.configuration, run != nil)
    }
    var expected = Configuration.builtIn
    expected.train.totalSteps = 500
    #expect(started.allSatisfy { $0.0 == expected })
    #expect(started.map(\.1) == [true] + Array(repeating: false, count: ranks - 1))
    #expect(try RunDirectory.open(run).configuration() == expected)
  }

  @Test("data or a configuration file take the place of the built-in recipe") func sources() throws {
    let console = Console(talks: false)
    var job = TrainJob()
    #expect(try job.resolveStart(SoloGroup(), console: console).configuration == .builtIn)
    job.data = "somewhere"
    #expect(try job.resolveStart(SoloGroup(), console: console).configuration == Configuration())
    job.data = nil
    job.configurationFiles = [try folder.write("model: {encoder: {layers: 2}}\n", to: "two-layers.yaml")]
    let read = try job.resolveStart(SoloGroup(), console: console).configuration
    #expect(read.train.totalSteps == 70_000)
    #expect(read.model.encoder.layers == 2)
  }

  @Test("too many ranks are told on all of them") func tooManyRanks() throws {
    let job = TrainJob()
    let refused = failure {
      _ = try ThreadGroup.run(size: 9) { try job.resolveStart($0, console: Console(talks: false)) }
    }
    #expect(refused?.kind == .usage)
    #expect(refused?.message.contains("8 is too few for 9 processes") == true)
  }

  @Test(
    "a batch of one is refused where BatchNorm has one row, and nowhere else",
    arguments: [("bn_linear", 128, true), ("linear", 1, false), ("linear", 128, false)])
  func batchOfOne(head: String, frames: Int, isRefused: Bool) {
    var job = TrainJob()
    job.overrides = [
      "train.batch_size=1", "train.shards=1", "model.head=\(head)", "train.segment_length=\(frames)",
    ]
    let refused = failure { _ = try job.resolveStart(SoloGroup(), console: Console(talks: false)) }
    #expect((refused?.kind == .usage) == isRefused)
  }

  @Test("a run goes on from its latest checkpoint, on its own data, with the keys that may change")
  func linesBeyond() throws {
    let console = Console(talks: false)
    var job = TrainJob()
    job.runDirectory = run
    do {
      let start = try job.resolveStart(SoloGroup(), console: console)
      let first = try job.openRun(start, corpus: 1, SoloGroup(), console: console)
      for step in [100, 200] { try save(step: step, in: first) }
      // The last of these was written after the checkpoint that the run will go on from.
      for step in [100, 200, 300] {
        try first?.append(
          Metrics(step: step, epoch: 0, split: .train, loss: 1, accuracy: 0, learningRate: 1e-3))
      }
    }
    // Without --resume the run is not touched.
    #expect(
      failure {
        _ = try job.openRun(
          ResolvedStart(configuration: Configuration()), corpus: 1, SoloGroup(), console: console)
      }?.kind
        == .usage)

    job.beginning = .resuming
    job.overrides = ["train.total_steps=5000"]
    let start = try job.resolveStart(SoloGroup(), console: console)
    #expect(start.configuration.train.totalSteps == 5_000)
    #expect(start.configuration.train.warmupSteps == Configuration.builtIn.train.warmupSteps)
    let elsewhere = failure { _ = try job.openRun(start, corpus: 2, SoloGroup(), console: console) }
    #expect(elsewhere?.kind == .usage)
    #expect(elsewhere?.message.contains("trained on other speakers or utterances") == true)
    let second = try job.openRun(start, corpus: 1, SoloGroup(), console: console)
    #expect(second?.checkpoints.steps == [100, 200])
    #expect(second?.checkpoint?.progress.step == 200)
    #expect(folder.text("run/metrics.jsonl")?.split(separator: "\n").count == 2)
    #expect(try RunDirectory.open(run).configuration() == start.configuration)

    job.overrides = ["train.batch_size=64"]
    let refused = failure { _ = try job.resolveStart(SoloGroup(), console: console) }
    #expect(refused?.message.contains("the run was started with 32 and cannot be resumed with 64") == true)
  }

  @Test("a run killed before its first checkpoint starts at zero") func withoutCheckpoint() throws {
    let console = Console(talks: false)
    var job = TrainJob()
    job.runDirectory = run
    _ = try job.openRun(ResolvedStart(configuration: .builtIn), corpus: 1, SoloGroup(), console: console)
    job.beginning = .resuming
    let start = try job.resolveStart(SoloGroup(), console: console)
    #expect(start == ResolvedStart(configuration: .builtIn, resumes: true))
    #expect(try job.openRun(start, corpus: 1, SoloGroup(), console: console)?.checkpoints.steps == [])
    job.runDirectory = "\(run)-that-never-was"
    #expect(failure { _ = try job.resolveStart(SoloGroup(), console: console) }?.kind == .missingInput)
    #expect(
      failure { _ = try job.openRun(start, corpus: 1, SoloGroup(), console: console) }?.kind == .missingInput)
  }

  /// A run of the built-in recipe, saved at that step.
  func saved(step: Int, best: BestResult? = nil) throws {
    var job = TrainJob()
    job.runDirectory = run
    let files = try job.openRun(
      ResolvedStart(configuration: .builtIn), corpus: 1, SoloGroup(), console: Console(talks: false))
    let progress = RunProgress(step: step, best: best, configuration: .builtIn)
    try files?.save(Checkpoint(progress: progress, model: NamedTensors(), optimizer: NamedTensors()))
  }

  /// What a run that is gone on with begins with, on every rank.
  func resumed(ranks: Int = 1, _ change: (inout TrainJob) -> Void = { _ in }) throws -> ResolvedStart {
    var job = TrainJob()
    job.runDirectory = run
    job.beginning = .resuming
    change(&job)
    let prepared = job
    let starts = try ThreadGroup.run(size: ranks) {
      try prepared.resolveStart($0, console: Console(talks: false))
    }
    #expect(starts.allSatisfy { $0 == starts[0] })
    return starts[0]
  }

  @Test(
    "a key that decides what the run is, changed by hand, is named with both values",
    arguments: [
      ("seed", "87", "88"), ("shards", "8", "4"), ("batch_size", "32", "64"), ("segment_length", "128", "64"),
      ("d_model", "80", "40"), ("kind", "transformer", "conformer"), ("reduction", "ordered", "mpi"),
    ])
  func editedByHand(key: String, trained: String, now: String) throws {
    try saved(step: 100)
    let file = "\(run)/config.yaml"
    let text = try String(contentsOfFile: file, encoding: .utf8)
    let edited = text.replacingOccurrences(of: " \(key): \(trained)\n", with: " \(key): \(now)\n")
    #expect(edited != text)
    try edited.write(toFile: file, atomically: false, encoding: .utf8)
    let refused = failure { _ = try resumed(ranks: 3) }
    #expect(refused?.kind == .usage)
    let message = refused?.message ?? ""
    #expect(
      message.hasPrefix("\(file): ")
        && message.contains("\(key): found \(now), but the run was trained with \(trained)"))
    // Nor by a file of one's own; put back by one, it goes on.
    #expect(
      failure { _ = try resumed { $0.configurationFiles = [file] } }?.message.contains(
        "was started with \(trained)") == true)
    let good = "\(folder.path)/good.yaml"
    try text.write(toFile: good, atomically: false, encoding: .utf8)
    #expect(try resumed { $0.configurationFiles = [good] }.configuration == .builtIn)
  }

  @Test("a change of plan is allowed, also by hand") func changeOfPlan() throws {
    try saved(step: 100)
    let file = "\(run)/config.yaml"
    let text = try String(contentsOfFile: file, encoding: .utf8)
    try text.replacingOccurrences(of: "total_steps: 1200", with: "total_steps: 2400")
      .write(toFile: file, atomically: false, encoding: .utf8)
    #expect(try resumed().configuration.train.totalSteps == 2_400)
    #expect(
      try resumed { $0.overrides = ["train.learning_rate=0.01"] }.configuration.train.learningRate == 0.01)
  }

  @Test("a finished run says so, and what could be done", arguments: [1, 3]) func finished(ranks: Int) throws
  {
    let best = BestResult(accuracy: 0.71666, loss: 1, step: 1_000)
    try saved(step: 1_200, best: best)
    let text = try #require(try resumed(ranks: ranks).finished)
    #expect(text.contains("1200 of 1200 steps, best accuracy 0.7167 at step 1000"))
    #expect(text.contains("--set train.total_steps=N"))
    #expect(try resumed { $0.beginning = .resumingIfThere }.finished == text)
    #expect(try resumed { $0.overrides = ["train.total_steps=1300"] }.finished == nil)
    let shorter = failure { _ = try resumed { $0.overrides = ["train.total_steps=1000"] } }
    #expect(shorter?.kind == .usage && shorter?.message.contains("has done 1200 steps already") == true)
    // What a signal has cut off is still to be done, and what a disk has damaged too.
    try saveAgain(lacksValidation: true, best)
    #expect(try resumed().finished == nil)
    try saveAgain(lacksValidation: false, best)
    #expect(try resumed().finished != nil)
    try Data("damaged".utf8).write(
      to: URL(fileURLWithPath: "\(run)/checkpoints/step-00001200/model.safetensors"))
    let damaged = failure { _ = try resumed() }
    #expect(damaged?.kind == .badData, "\(damaged?.message ?? "")")
  }

  private func saveAgain(lacksValidation: Bool, _ best: BestResult) throws {
    var progress = RunProgress(step: 1_200, best: best, configuration: .builtIn)
    progress.lacksValidation = lacksValidation
    try RunDirectory.open(run).checkpoints(keep: 3)
      .save(Checkpoint(progress: progress, model: NamedTensors(), optimizer: NamedTensors()))
  }

  @Test("--resume auto begins, then goes on") func auto() throws {
    let begun = try resumed(ranks: 2) { $0.beginning = .resumingIfThere }
    #expect(begun == ResolvedStart(configuration: .builtIn))
    // A folder that a process was killed in before there was a run is none.
    try folder.write("", to: "run/.lock")
    #expect(try resumed { $0.beginning = .resumingIfThere } == begun)
    try saved(step: 100)
    let goesOn = try resumed(ranks: 2) { $0.beginning = .resumingIfThere }
    #expect(goesOn == ResolvedStart(configuration: .builtIn, resumes: true))
    // What is left of one is neither.
    try FileManager.default.removeItem(atPath: "\(run)/config.yaml")
    let refused = failure { _ = try resumed { $0.beginning = .resumingIfThere } }
    #expect(refused?.kind == .usage && refused?.message.contains("without its config.yaml") == true)
  }

  @Test("the data of a run is remembered", arguments: [1, 3]) func data(ranks: Int) throws {
    try saved(step: 100)
    #expect(try resumed(ranks: ranks).data == nil)
    func note(builtIn: Bool) throws {
      try RunStart(
        step: 0, data: .init(path: "\(folder.path)/data", fingerprint: 1, isBuiltIn: builtIn), ranks: []
      ).write(to: RunDirectory.open(run)) { Issue.record("\($0)") }
    }
    try note(builtIn: false)
    let missing = failure { _ = try resumed(ranks: ranks) }
    #expect(
      missing?.kind == .missingInput && missing?.message.contains("--data says where it is now") == true)
    try folder.write("", to: "data/metadata.json")
    #expect(try resumed(ranks: ranks).data == "\(folder.path)/data")
    #expect(try resumed(ranks: ranks) { $0.data = "elsewhere" }.data == "elsewhere")
    try note(builtIn: true)
    #expect(try resumed(ranks: ranks).data == nil)
  }
}
