import Foundation
import TensorFiles
import TestSupport
import Testing

/// Whose a run directory is: of those that begin at the same moment, after kills, over an earlier run.
@Suite("Beginning and going on") struct RunBeginningTests {
  /// A training of a few steps.
  func arguments(_ run: String?, steps: Int = 20, _ more: [String] = []) throws -> [String] {
    var arguments = try SmallCorpus.training(run: run ?? "", steps: steps)
    if run == nil, let place = arguments.firstIndex(of: "--run") {
      arguments.removeSubrange(place...place + 1)
    }
    return arguments + more
  }

  /// Starts several of them as nearly at once as a shell can, and returns each one's status.
  func atOnce(_ count: Int, _ arguments: [String], in folder: String) throws -> [Int32] {
    let script = """
      for i in $(seq \(count)); do ( "$@" >out-$i 2>err-$i </dev/null; echo $? >status-$i ) & done; wait
      """
    let outcome = try Program.run(
      ["-c", script, "bash", Program.path] + arguments, in: folder, program: "/bin/bash")
    #expect(outcome.status == 0)
    return try (1...count).map { number in
      let text = try String(contentsOfFile: "\(folder)/status-\(number)", encoding: .utf8)
      return Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
    }
  }

  /// The steps of the whole lines about training.
  func metricsSteps(_ run: String) throws -> [Int] {
    try String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8).split(separator: "\n").compactMap {
      let line = try JSON.parse(Array($0.utf8), name: "metrics")
      return line["split"]?.string == "train" ? line["step"]?.int : nil
    }
  }

  @Test("without --run each of those that begin at once has a folder of its own, whole", arguments: 0..<3)
  func unnamed(round: Int) throws {
    let folder = TemporaryFolder()
    #expect(try atOnce(3, arguments(nil), in: folder.path) == [0, 0, 0])
    let runs = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/runs")
    #expect(runs.count == 3)
    for run in runs {
      #expect(try metricsSteps("\(folder.path)/runs/\(run)") == Array(1...20))
      #expect(TrainTests.latestCheckpoint("\(folder.path)/runs/\(run)") == 20)
      let log = try String(contentsOfFile: "\(folder.path)/runs/\(run)/log.txt", encoding: .utf8)
      #expect(log.components(separatedBy: "Finish loading data!").count == 2, "two have written here")
    }
  }

  @Test("with the same --run one of them trains, and the others say why not", arguments: 0..<4)
  func named(round: Int) throws {
    let folder = TemporaryFolder()
    let overwriting = round % 2 == 1 ? ["--overwrite"] : []
    let run = "\(folder.path)/run"
    let statuses = try atOnce(3, arguments(run, steps: 300, overwriting), in: folder.path)
    // Who overwrites waits for one that is about to end, and may then have its turn.
    if overwriting.isEmpty { #expect(statuses.sorted() == [0, 64, 64]) }
    #expect(statuses.contains(0) && statuses.allSatisfy { $0 == 0 || $0 == 64 })
    for (number, status) in zip(1..., statuses) where status == 64 {
      let text = try String(contentsOfFile: "\(folder.path)/err-\(number)", encoding: .utf8)
      #expect(
        text.contains("another process is training in this run") || text.contains("a run is there already"),
        "\(text)")
    }
    #expect(try metricsSteps(run) == Array(1...300))
    #expect(TrainTests.latestCheckpoint(run) == 300)
  }

  @Test("killed the moment its folder is there, it leaves a name that can be used") func killedEarly() throws
  {
    let folder = TemporaryFolder()
    var left: Set<String> = []
    for round in 0..<12 {
      let run = "\(folder.path)/run-\(round)"
      let launch = try Launch(try arguments(run))
      // A little later each time, so that it is met before, in and after what it writes first.
      let delay = UInt32(round % 6) * 300
      while !FileManager.default.fileExists(atPath: run), launch.status(within: 0) == nil {}
      usleep(delay)
      launch.signal(SIGKILL)
      _ = launch.status()
      let isRun = FileManager.default.fileExists(atPath: "\(run)/config.yaml")
      left.insert(isRun ? "a run" : "a folder")
      let plain = try Program.run(try arguments(run))
      #expect(plain.status == (isRun ? 64 : 0), "\(plain.errors)")
      if isRun { #expect(plain.errors.contains("nothing saved yet"), "\(plain.errors)") }
      #expect(try Program.run(try arguments(run, ["--resume", "auto"])).status == 0)
      #expect(try metricsSteps(run) == Array(1...20))
      let names = try FileManager.default.contentsOfDirectory(atPath: run)
      #expect(!names.contains { $0.hasPrefix(".tmp-") })
    }
    #expect(left.contains("a folder"), "no kill came early enough to test anything")
  }

  @Test("a run that failed before its first checkpoint is begun anew by --overwrite", arguments: [nil, 2])
  func overwrite(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    // Killed by a limit when it writes its first checkpoint.
    let failed = try Launch(try arguments(run), after: "trap '' XFSZ; ulimit -f 16")
    #expect(failed.status() == 74)
    try "mine".write(toFile: "\(run)/notes.txt", atomically: false, encoding: .utf8)
    let refused = try Program.run(try arguments(run), ranks: ranks)
    #expect(refused.status == 64)
    #expect(refused.errorLines.first?.contains("nothing saved yet") == true, "\(refused.errors)")
    let dry = try Program.run(try arguments(run, ["--overwrite", "--dry-run"]), ranks: ranks)
    #expect(dry.status == 0)
    let other = try arguments(run, ["--overwrite", "--set", "train.seed=5"])
    #expect(try Program.run(other, ranks: ranks).status == 0)
    #expect(try String(contentsOfFile: "\(run)/config.yaml", encoding: .utf8).contains("seed: 5"))
    #expect(try metricsSteps(run) == Array(1...20))
    let log = try String(contentsOfFile: "\(run)/log.txt", encoding: .utf8)
    #expect(log.components(separatedBy: "Finish loading data!").count == 2)
    #expect(try String(contentsOfFile: "\(run)/notes.txt", encoding: .utf8) == "mine")
  }

  @Test("--overwrite lets a run that is training be", arguments: [nil, 2]) func inUse(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    let launch = try Launch(try arguments(run, steps: 1_000_000), ranks: ranks)
    #expect(launch.wait { RunMetrics.lastStep(run: run) > 0 || launch.status(within: 0) != nil })
    for more in [["--overwrite"], [], ["--resume"], ["--overwrite", "--dry-run"]] {
      let refused = try Program.run(try arguments(run, steps: 1_000_000, more))
      #expect(refused.status == 64)
      #expect(
        refused.errorLines.first?.contains("another process is training in this run") == true, "\(more)")
    }
    launch.signal(SIGUSR1)
    #expect(launch.status() == 75)
    #expect(TrainTests.latestCheckpoint(run) != nil)
  }

  @Test("what is no place for a run is refused in a line") func noPlace() throws {
    let folder = TemporaryFolder()
    let data = "\(folder.path)/data"
    try FileManager.default.copyItem(atPath: SmallCorpus.path.get(), toPath: data)
    let before = try FileManager.default.contentsOfDirectory(atPath: data).sorted()
    let file = try folder.write("text", to: "file")
    let cases: [(run: String, more: [String], status: Int32, text: String)] = [
      (data, [], 64, "this is a data folder"), (data, ["--overwrite"], 64, "this is a data folder"),
      (data, ["--resume", "auto"], 64, "this is a data folder"),
      (file, [], 74, "a file is in its place"), (file, ["--overwrite"], 74, "a file is in its place"),
      (file, ["--resume"], 66, "it is a file"), ("", [], 64, "--run: expected a value"),
      ("", ["--resume"], 64, "--run: expected a value"), ("\(file)/run", [], 74, "file/run"),
      ("/proc/run", ["--overwrite"], 74, "/proc/run"),
    ]
    for (run, more, status, text) in cases {
      let outcome = try Program.run(try SmallCorpus.training(run: run) + more)
      #expect(outcome.status == status, "\(run) \(more): \(outcome.errors)")
      #expect(outcome.errors.hasPrefix("error: ") && outcome.errors.contains(text), "\(outcome.errors)")
      #expect(outcome.errors.count { $0 == "\n" } == 1)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: data).sorted() == before)
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "text")
  }

  @Test("--resume, --resume auto and --resume=auto", arguments: [nil, 2]) func resume(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    #expect(try Program.run(try arguments(run, ["--resume"]), ranks: ranks).status == 66)
    #expect(try Program.run(try arguments(run, ["--resume", "auto"]), ranks: ranks).status == 0)
    let finished = try Program.run(["train", "--run", run, "--resume"], ranks: ranks)
    #expect(finished.status == 0)
    #expect(finished.output.contains("The run is finished: 20 of 20 steps"), "\(finished.output)")
    #expect(finished.output.contains("--set train.total_steps=N, with N above 20"))
    for resume in [["--resume=auto"], ["--resume", "auto"]] {
      let again = try Program.run(try arguments(run, resume), ranks: ranks)
      #expect(again.status == 0 && again.output.contains("The run is finished"))
    }
    let longer = try Program.run(try arguments(run, steps: 25, ["--resume=auto"]), ranks: ranks)
    #expect(longer.status == 0)
    #expect(longer.output.contains("train.total_steps is 25 from here on"))
    #expect(TrainTests.latestCheckpoint(run) == 25)
    let shorter = try Program.run(try arguments(run, steps: 10, ["--resume"]), ranks: ranks)
    #expect(shorter.status == 64 && shorter.errors.contains("has done 25 steps already"))
    let wrong = try Program.run(try arguments(run, ["--resume", "perhaps"]), ranks: ranks)
    #expect(wrong.status == 64)
    let both = try Program.run(try arguments(run, ["--resume", "--overwrite"]), ranks: ranks)
    #expect(both.status == 64 && both.errors.contains("--resume and --overwrite"))
  }

  @Test("--resume without --run says which runs there are") func whichRuns() throws {
    let folder = TemporaryFolder()
    let plain = try Program.run(["train", "--resume"], in: folder.path)
    #expect(plain.errors == "error: --resume: expected --run DIR, the run to go on with\n")
    #expect(try Program.run(try arguments(nil), in: folder.path).status == 0)
    let name = try #require(try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/runs").first)
    let named = try Program.run(["train", "--resume", "auto"], in: folder.path)
    #expect(named.status == 64)
    #expect(named.errors.contains("runs/\(name) (step 20 of 20, last saved 20"), "\(named.errors)")
  }

  @Test("a seed changed by hand is named with both values, and nothing is touched", arguments: [nil, 2])
  func editedByHand(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    #expect(try Program.run(try arguments(run)).status == 0)
    let file = "\(run)/config.yaml"
    let text = try String(contentsOfFile: file, encoding: .utf8)
    let edited = text.replacingOccurrences(of: "seed: 87", with: "seed: 88")
      .replacingOccurrences(of: "total_steps: 20", with: "total_steps: 40")
    try edited.write(toFile: file, atomically: false, encoding: .utf8)
    let metrics = try String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8)
    let data = ["--data", try SmallCorpus.path.get()]
    let outcome = try Program.run(["train", "--run", run, "--resume"] + data, ranks: ranks)
    #expect(outcome.status == 64)
    #expect(
      outcome.errorLines.first?.contains("train.seed: found 88, but the run was trained with 87") == true,
      "\(outcome.errors)")
    #expect(try String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8) == metrics)
    #expect(try String(contentsOfFile: file, encoding: .utf8) == edited)
    let back = try Program.run(
      ["train", "--run", run, "--resume", "--set", "train.seed=87"] + data, ranks: ranks)
    #expect(back.status == 0, "\(back.errors)")
    #expect(TrainTests.latestCheckpoint(run) == 40)
  }
}
