import Foundation
import TestSupport
import Testing

/// Whatever is killed and whenever, the run that is gone on with ends like one that was never disturbed.
@Suite("Killed trainings", .serialized) struct TrainingKillTests {
  static let steps = 300

  func newRun() throws -> TrainingRun { try TrainingRun("conformer", steps: Self.steps) }

  @Test("twenty kills, each at a random moment, each resumed on a random number of ranks")
  func twentyKills() throws {
    let undisturbed = try newRun()
    let begin = Date()
    #expect(try Program.run(undisturbed.arguments(), ranks: 2).status == 0)
    let duration = Date().timeIntervalSince(begin)
    let expected = try undisturbed.result()

    var random = SeededGenerator(seed: 20)
    var kills = 0, finished = 0
    var run = try newRun()
    while kills < 20 || finished == 0 {
      let ranks = Int.random(in: 1...4, using: &random)
      let launch = try Launch(run.arguments(resume: run.hasBegun), ranks: ranks)
      let moment = kills < 20 ? Double.random(in: 0...1, using: &random) * duration : Launch.patience
      if launch.status(within: moment) == nil, kills < 20 {
        let victims = launch.wait { !launch.ranks.isEmpty || launch.status(within: 0) != nil }
        try #require(victims, "mpirun starts nothing")
        guard let victim = launch.ranks.randomElement(using: &random) else { continue }
        kill(victim, SIGKILL)
        kills += 1
        let status = launch.status()
        try #require(status != nil, "kill \(kills): the other ranks hang")
      }
      let status = launch.status()
      try #require(status != nil, "a run of \(ranks) ranks hangs")
      try #require(Processes.none(mention: run.path), "a process was left behind")
      guard status == 0 else { continue }
      #expect(try run.result().differences(from: expected) == [], "after \(kills) kills")
      #expect(!run.files.contains { $0.contains(".tmp-") || $0.contains(".old-") }, "\(run.files)")
      finished += 1
      run = try newRun()
    }
  }

  @Test("kill -9 of the program alone") func alone() throws {
    let undisturbed = try newRun()
    #expect(try Program.run(undisturbed.arguments()).status == 0)
    let run = try newRun()
    for lines in [1, 30, 60] {
      let launch = try Launch(run.arguments(resume: run.hasBegun))
      _ = launch.wait { run.metricsLines >= lines || launch.status(within: 0) != nil }
      launch.signal(SIGKILL)
      #expect(launch.status() == 128 + SIGKILL)
    }
    #expect(try Program.run(run.arguments(resume: true)).status == 0)
    #expect(try run.result().differences(from: undisturbed.result()) == [])
  }
}
