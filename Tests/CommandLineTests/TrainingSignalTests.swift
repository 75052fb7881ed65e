import Foundation
import TestSupport
import Testing

/// A scheduler's signals: the step is finished, everything is saved, the status is 75, nobody is left.
@Suite("Stopped trainings", .serialized) struct TrainingSignalTests {
  /// A run that does not end by itself in the time of a test, but in that of a coffee, if its test is killed.
  static let endless = 10_000_000
  static let limit = "ulimit -t 100"

  @Test("alone", arguments: [SIGTERM, SIGUSR1, SIGINT]) func alone(number: Int32) throws {
    try stop(number, ranks: nil, status: 75)
  }

  @Test("SIGUSR1 to mpirun reaches every rank", arguments: [1, 2, 3, 4]) func mpirun(ranks: Int) throws {
    try stop(SIGUSR1, ranks: ranks, status: 75)
  }

  @Test(
    "the mpirun of cluster/env.sh lets a step end that takes longer than mpirun waits",
    arguments: [SIGINT, SIGTERM, SIGHUP])
  func slowStep(number: Int32) throws {
    let slow = [
      "model.d_model=128", "model.encoder.layers=4", "model.encoder.feedforward=512", "train.batch_size=128",
      "train.segment_length=400",
    ]
    let run = try TrainingRun(steps: Self.endless, saveSteps: Self.endless, settings: slow)
    let launch = try Launch(
      run.arguments(), ranks: 2, after: Self.limit, by: "\(Program.repository)/cluster/bin/mpirun")
    #expect(launch.wait { run.logs("Finish creating model!") || launch.status(within: 0) != nil })
    launch.signal(number)
    #expect(launch.status() == 75, "\(launch.errorLines)")
    #expect(run.checkpoints.count == 1)
    #expect(launch.errorLines.count == 1 && launch.errorLines.first?.contains("it is saved") == true)
  }

  /// mpirun passes SIGTERM on, gives the ranks a second and has a status of its own.
  @Test("SIGTERM to mpirun saves too") func terminated() throws {
    try stop(SIGTERM, ranks: 3, status: nil)
  }

  @Test("a signal to one rank alone stops all of them") func oneRank() throws {
    let run = try TrainingRun(steps: Self.endless, saveSteps: Self.endless)
    let launch = try Launch(run.arguments(), ranks: 3, after: Self.limit)
    #expect(launch.wait { run.metricsLines > 0 || launch.status(within: 0) != nil })
    let rank = try #require(launch.ranks.last)
    kill(rank, SIGTERM)
    #expect(launch.status() == 75)
    #expect(run.checkpoints.count == 1)
    #expect(launch.errorLines.count == 1)
  }

  @Test("stopped again and again, it ends like one that was never stopped") func relay() throws {
    let undisturbed = try TrainingRun("conformer", steps: 300)
    #expect(try Program.run(undisturbed.arguments()).status == 0)
    let run = try TrainingRun("conformer", steps: 300)
    var stops = 0
    for (lines, ranks) in [(2, 3), (25, 1), (50, 4), (75, 2)] {
      let launch = try Launch(run.arguments(resume: run.hasBegun), ranks: ranks)
      #expect(launch.wait { run.metricsLines >= lines || launch.status(within: 0) != nil })
      launch.signal(SIGUSR1)
      let status = launch.status()
      #expect(status == 75 || status == 0, "\(launch.errorLines)")
      if status == 75 { stops += 1 }
    }
    #expect(stops > 0, "it was never stopped")
    #expect(try Program.run(run.arguments(resume: true), ranks: 2).status == 0)
    #expect(try run.result().differences(from: undisturbed.result()) == [])
  }

  @Test("stopped in a validation, it goes on with that validation", arguments: [nil, 2])
  func inAValidation(ranks: Int?) throws {
    // Whole seconds of validation, and steps that take no time beside it.
    let slow = ["model.encoder.layers=40", "train.valid_steps=4", "train.segment_length=400"]
    let undisturbed = try TrainingRun(steps: 8, saveSteps: 4, settings: slow)
    #expect(try Program.run(undisturbed.arguments(), ranks: ranks).status == 0)
    let run = try TrainingRun(steps: 8, saveSteps: 4, settings: slow)
    let launch = try Launch(run.arguments(), ranks: ranks)
    #expect(launch.wait { run.logs("Train: 100%") || launch.status(within: 0) != nil })
    launch.signal(SIGUSR1)
    #expect(launch.status() == 75)
    #expect(run.checkpoints == [4])
    #expect(try Program.run(run.arguments(resume: true)).status == 0)
    #expect(try run.result().differences(from: undisturbed.result()) == [])
  }

  private func stop(_ number: Int32, ranks: Int?, status: Int32?) throws {
    let run = try TrainingRun(steps: Self.endless, saveSteps: Self.endless)
    let launch = try Launch(run.arguments(), ranks: ranks, after: Self.limit)
    #expect(launch.wait { run.metricsLines > 0 || launch.status(within: 0) != nil })
    launch.signal(number)
    let ended = launch.status()
    #expect(ended != nil, "it hangs")
    if let status { #expect(ended == status, "\(launch.errorLines)") }
    #expect(Processes.none(mention: run.path), "a process was left behind")

    let step = try #require(run.checkpoints.first, "nothing was saved")
    #expect(run.checkpoints.count == 1 && step > 0)
    #expect(!run.files.contains { $0.contains(".tmp-") })
    let log = try String(contentsOfFile: "\(run.path)/log.txt", encoding: .utf8)
    let line = "after step \(step); it is saved, go on with --resume"
    #expect(log.contains(line))
    if status != nil {
      #expect(launch.errorLines.count == 1 && launch.errorLines.first?.hasSuffix(line) == true)
    }
  }
}
