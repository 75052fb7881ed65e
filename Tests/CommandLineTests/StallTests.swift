import Foundation
import TensorFiles
import TestSupport
import Testing

/// Runs under `mpirun` in which a rank is stopped, killed or slow.
@Suite(.serialized) struct StallTests {
  let folder = TemporaryFolder()
  var run: String { "\(folder.path)/run" }

  func arguments(timeout: Int) throws -> [String] {
    try SmallCorpus.training(run: run, steps: 1_000_000)
      + ["--set", "train.stall_timeout=\(timeout)", "--set", "train.checksum_steps=3"]
  }

  /// Runs three ranks and does something to them; tells which processes there were.
  func runThree(timeout: Int, _ meanwhile: ([pid_t]) -> Void) throws -> (
    outcome: Program.Outcome, ranks: [pid_t]
  ) {
    var found: [pid_t] = []
    let outcome = try Program.run(try arguments(timeout: timeout), ranks: 3) { launch in
      while launch.isRunning, RunMetrics.lastStep(run: run) < 12 { usleep(20_000) }
      found = launch.ranks
      if found.count == 3 { meanwhile(found) } else { launch.signal(SIGTERM) }
    }
    try #require(found.count == 3, "\(outcome.errors)")
    return (outcome, found)
  }

  /// mpirun does not wait for ranks that it has sent SIGKILL: they are gone soon after it.
  private func expectGone(_ ranks: [pid_t]) {
    let end = Date(timeIntervalSinceNow: 10)
    while ranks.contains(where: Processes.isAlive), Date() < end { usleep(20_000) }
    #expect(!ranks.contains(where: Processes.isAlive))
  }

  @Test("a stopped rank is named, and the job ends", arguments: 0..<3) func stopped(stopped: Int) throws {
    let (outcome, ranks) = try runThree(timeout: 3) { kill($0[stopped], SIGSTOP) }
    #expect(outcome.status == 76, "\(outcome.errors)")
    #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
    let line = outcome.errorLines.first ?? ""
    #expect(line.hasPrefix("error: rank \(stopped) on "), "\(line)")
    #expect(line.contains(" has not been heard of for 3 s"), "\(line)")
    #expect(line.contains("wait") && line.contains(" in step "), "\(line)")
    if stopped > 0 {
      // Rank 0 has noticed it, and the run's files are its own.
      let log = try String(contentsOfFile: "\(run)/log.txt", encoding: .utf8)
      #expect(log.hasSuffix("Z \(line)\n"), "\(log.suffix(300))")
      let timeline = try String(contentsOfFile: "\(run)/timeline.jsonl", encoding: .utf8).split(
        separator: "\n")
      let stall = try timeline.map { try JSON.parse(Array($0.utf8), name: "timeline.jsonl") }.last {
        $0["event"] == "stall"
      }
      #expect((stall?["step"]?.int ?? 0) > 0)
      #expect(stall?["message"]?.string == String(line.dropFirst("error: ".count)))
    }
    expectGone(ranks)
  }

  @Test("a killed rank ends the job at once") func killed() throws {
    // The watchdog has no part in it: it would take ten minutes.
    let (outcome, ranks) = try runThree(timeout: 600) { kill($0[1], SIGKILL) }
    #expect(outcome.status == 137, "\(outcome.errors)")
    expectGone(ranks)
  }

  /// A rank that gets a third of the time, in pieces of a second: the others wait for it, and nobody complains.
  @Test("a slow rank is waited for") func slow() throws {
    let (outcome, _) = try runThree(timeout: 6) { ranks in
      for _ in 0..<10 {
        kill(ranks[1], SIGSTOP)
        usleep(1_000_000)
        kill(ranks[1], SIGCONT)
        usleep(500_000)
      }
      kill(ranks[0], SIGUSR1)
    }
    #expect(outcome.status == 75, "\(outcome.errors)")
    #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
    #expect(outcome.errorLines.first?.contains("stopped by SIGUSR1") == true, "\(outcome.errors)")
  }

  /// A job that is stopped as a whole for longer than the timeout goes on when it is let go on.
  @Test("a job that was stopped as a whole goes on") func wholeJob() throws {
    let (outcome, _) = try runThree(timeout: 3) { ranks in
      for rank in ranks { kill(rank, SIGSTOP) }
      usleep(6_000_000)
      for rank in ranks { kill(rank, SIGCONT) }
      usleep(2_000_000)
      kill(ranks[0], SIGUSR1)
    }
    #expect(outcome.status == 75, "\(outcome.errors)")
    #expect(outcome.errorLines.first?.contains("stopped by SIGUSR1") == true, "\(outcome.errors)")
  }
}

/// A disk that takes no more, played by a limit on the size of a file.
@Suite struct FullDiskTests {
  @Test("a save that fails ends the run, and earlier checkpoints are as they were", arguments: [nil, 2])
  func failedSave(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    // Moments of 6 MB, beyond what a process may write in one file; MPI's shared memory takes 4.
    let wide = ["--set", "model.encoder.feedforward=4096"]
    let first = try Program.run(try SmallCorpus.training(run: run, steps: 10) + wide, ranks: ranks)
    try #require(first.status == 0, "\(first.errors)")
    let saved = try FileManager.default.subpathsOfDirectory(atPath: "\(run)/checkpoints").sorted()

    let script = try folder.write(
      "#!/bin/sh\ntrap '' XFSZ\nulimit -f 9216\nexec \"\(Program.path)\" \"$@\"\n", to: "limited")
    chmod(script, 0o755)
    let second = try Program.run(
      [
        "train", "--data", try SmallCorpus.path.get(), "--run", run, "--resume", "--set",
        "train.total_steps=100000",
      ],
      ranks: ranks, program: script)
    #expect(second.status == 74, "\(second.errors)")
    #expect(second.errorLines.count == 1, "\(second.errors)")
    #expect(second.errorLines.first?.contains("File too large") == true, "\(second.errors)")
    #expect(try FileManager.default.subpathsOfDirectory(atPath: "\(run)/checkpoints").sorted() == saved)

    let third = try Program.run(
      [
        "train", "--data", try SmallCorpus.path.get(), "--run", run, "--resume", "--set",
        "train.total_steps=20",
      ],
      ranks: ranks)
    #expect(third.status == 0, "\(third.errors)")
  }
}
