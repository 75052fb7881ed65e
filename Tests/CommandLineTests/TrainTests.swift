import Foundation
import TensorFiles
import TestSupport
import Testing

@Suite struct TrainTests {
  @Test("a run has its files, and says the notebook's lines", arguments: [nil, 2]) func files(ranks: Int?)
    throws
  {
    let folder = TemporaryFolder()
    let outcome = try Program.run(try SmallCorpus.training(run: "\(folder.path)/run"), ranks: ranks)
    #expect(outcome.status == 0)
    let lines = outcome.output.split(separator: "\n").map { $0.filter { $0 != "\r" } }
    let train =
      #/Train: 100% 10/10 \[\d\d:\d\d<00:00, .* step/s, accuracy=\d\.\d\d, loss=\d+\.\d\d, step=20\]/#
    let valid = #/Valid: 100% 5/5 \[\d\d:\d\d<00:00, .* uttr/s, accuracy=\d\.\d\d, loss=\d+\.\d\d\]/#
    #expect(lines.contains("[Info]: Finish loading data!"))
    #expect(lines.contains("[Info]: Finish creating model!"))
    #expect(lines.contains { $0.wholeMatch(of: train) != nil })
    #expect(lines.contains { $0.wholeMatch(of: valid) != nil })
    let best = #/Step [12]0, best model saved\. \(accuracy=\d\.\d{4}\)/#
    #expect((1...2).contains(lines.count { $0.wholeMatch(of: best) != nil }))
    // In a file there is nothing of a live line.
    #expect(!outcome.output.contains("\rTrain"))

    let names = try FileManager.default.subpathsOfDirectory(atPath: "\(folder.path)/run")
    for name in [
      "config.yaml", "metrics.jsonl", "log.txt", "best/model.safetensors",
      "checkpoints/step-00000010/state.json", "checkpoints/step-00000020/model.safetensors",
      "checkpoints/step-00000020/optimizer.safetensors",
    ] { #expect(names.contains(name)) }
    #expect(!names.contains { $0.contains(".tmp-") })
    #expect(
      lines.contains {
        $0.wholeMatch(of: #/Run:  50% 10\/20 \[.*<.*, best accuracy=\d\.\d{4} at step 10\]/#) != nil
      })
    #expect(
      lines.suffix(2).first?.wholeMatch(
        of: #/\[Info\]: 20 steps in \d\d:\d\d \(.* step\/s\); best accuracy \d\.\d{4} at step \d+/#) != nil)
    #expect(lines.last == "[Info]: The run is in \(folder.path)/run")
    let log = try String(contentsOfFile: "\(folder.path)/run/log.txt", encoding: .utf8).split(separator: "\n")
    #expect(log.map { String($0.dropFirst(25)) } == lines)
    #expect(log.allSatisfy { $0.prefixMatch(of: #/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /#) != nil })
  }

  @Test(
    "a run tells when it did what, through a kill and a signal, and who computed it", arguments: [nil, 2])
  func timeline(ranks: Int?) throws {
    let run = try TrainingRun(steps: 300)
    let killed = try Launch(run.arguments(), ranks: ranks)
    func saved() throws -> [Int] {
      try run.lines(of: "timeline.jsonl").filter { $0["saved"]?.string == "checkpoint" }
        .compactMap { $0["step"]?.int }
    }
    // A kill between a checkpoint and the line about it would cost the line; one half written is not read yet.
    #expect(killed.wait { (try? saved())?.contains(20) == true || killed.status(within: 0) != nil })
    for rank in killed.ranks { kill(rank, SIGKILL) }
    #expect(killed.status() != nil)
    let stopped = try Launch(run.arguments(resume: true), ranks: ranks)
    #expect(
      stopped.wait { run.logs("Finish creating model!\n", times: 2) || stopped.status(within: 0) != nil })
    stopped.signal(SIGUSR1)
    let status = stopped.status()
    #expect(status == 75 || status == 0)
    #expect(try Program.run(run.arguments(resume: true), ranks: ranks).status == 0)

    let events = try run.lines(of: "timeline.jsonl")
    for event in events { #expect(event.object?.keys.prefix(3) == ["event", "time", "step"]) }
    let times = events.compactMap { $0["time"]?.string }
    #expect(times.count == events.count && times == times.sorted())
    func all(_ name: String) -> [JSON] { events.filter { $0["event"]?.string == name } }
    #expect(all("start").map { $0["resumed"]?.bool } == [false, true, true])
    #expect(all("start").allSatisfy { $0["ranks"]?.int == ranks ?? 1 && $0["total_steps"] == 300 })
    #expect(all("load").count == 3)
    #expect(all("stop").map { $0["reason"]?.string } == [status == 75 ? "signal" : "finished", "finished"])
    #expect(all("stop").last?["step"] == 300)
    // What was computed again after the kill is there twice, each time when it was.
    for name in ["validation", "steps"] {
      let steps = Set(all(name).compactMap { $0["step"]?.int })
      #expect(steps.isSuperset(of: stride(from: 30, through: 300, by: 30)), "\(name)")
    }
    #expect(Set(try saved()).isSuperset(of: stride(from: 20, through: 300, by: 20)))
    #expect(all("save").contains { $0["saved"]?.string == "best" })

    let start = try JSON.read(path: "\(run.path)/run.json")
    #expect(start["data"]?["path"]?.string == (try SmallCorpus.path.get()))
    #expect(start["data"]?["built_in"] == false)
    #expect(start["ranks"]?.int == ranks ?? 1 && start["hosts"]?.array?.count == ranks ?? 1)
    #expect(start["command"]?.array?.compactMap(\.string) == [Program.path] + run.arguments(resume: true))
    #expect(start["earlier_starts"]?.array?.count == 2)
    #expect(start["earlier_starts"]?.array?.last?["step"] == 0)
  }

  @Test("a run without a name gets a folder of its own", arguments: [nil, 2]) func nameless(ranks: Int?)
    throws
  {
    let folder = TemporaryFolder()
    var arguments = try SmallCorpus.training(run: "")
    let run = try #require(arguments.firstIndex(of: "--run"))
    arguments.removeSubrange(run...run + 1)
    // Often two in the same second: the second one gets another name.
    for _ in 0..<2 { #expect(try Program.run(arguments, ranks: ranks, in: folder.path).status == 0) }
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/runs")
    #expect(names.count == 2)
    #expect(names.allSatisfy { $0.wholeMatch(of: /[0-9]{8}-[0-9]{6}(-2)?/) != nil })
  }

  @Test("a run is not overwritten", arguments: [nil, 2]) func overwritten(ranks: Int?) throws {
    let folder = TemporaryFolder()
    try folder.write("train: {seed: 1}\n", to: "config.yaml")
    let outcome = try Program.run(try SmallCorpus.training(run: folder.path), ranks: ranks)
    #expect(outcome.status == 64)
    #expect(outcome.errorLines.count == 1)
    let line = outcome.errorLines.first ?? ""
    #expect(line.hasPrefix("error: \(folder.path): a run is there already: nothing saved yet, begun "))
    #expect(line.hasSuffix("; go on with it by --resume, begin anew with --overwrite, or give another --run"))
  }

  @Test("a run directory that cannot be written is named", arguments: [nil, 2]) func unwritable(ranks: Int?)
    throws
  {
    let outcome = try Program.run(try SmallCorpus.training(run: "/proc/speakerid-run"), ranks: ranks)
    #expect(outcome.status == 74)
    #expect(outcome.errorLines.count == 1)
    #expect(outcome.errorLines.first?.hasPrefix("error: /proc/speakerid-run: ") == true)
  }

  @Test("a dry run writes nothing") func dryRun() throws {
    let folder = TemporaryFolder()
    let outcome = try Program.run(
      try SmallCorpus.training(run: "\(folder.path)/run") + ["--dry-run"], in: folder.path)
    #expect(outcome.status == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test("a dry run does not make the built-in corpus", arguments: [nil, 2]) func dryRunOfNothing(ranks: Int?)
    throws
  {
    for command in [["train", "--dry-run"], ["--dry-run"]] {
      for cache in ["cache", "cache/that/is/not/there"] {
        let folder = TemporaryFolder()
        try FileManager.default.createDirectory(
          atPath: "\(folder.path)/cache", withIntermediateDirectories: false)
        let outcome = try Program.run(
          command, ranks: ranks, in: folder.path, variables: ["XDG_CACHE_HOME": "\(folder.path)/\(cache)"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        // It looked there, and not where a corpus may be from another day.
        #expect(outcome.output.contains("the built-in corpus is not there yet"), "\(outcome.output)")
        #expect(try FileManager.default.subpathsOfDirectory(atPath: folder.path) == ["cache"])
      }
    }
  }

  /// SIGTERM to the one process; SIGUSR1 to mpirun, which forwards it to the ranks.
  @Test(
    "a signal saves, and the run goes on from there",
    arguments: [(nil, SIGTERM), (2, SIGUSR1)] as [(Int?, Int32)])
  func stopped(ranks: Int?, signal: Int32) throws {
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    let arguments = try SmallCorpus.training(run: run, steps: 5_000)
    let outcome = try Program.run(arguments, ranks: ranks) { launch in
      while launch.isRunning, RunMetrics.lastStep(run: run) < 12 { sched_yield() }
      launch.signal(signal)
    }
    #expect(outcome.status == 75)
    #expect(outcome.errorLines.count == 1)
    #expect(outcome.errorLines.first?.contains("--resume") == true)
    let saved = try #require(Self.latestCheckpoint(run))
    #expect(saved >= 12)
    #expect(try !FileManager.default.subpathsOfDirectory(atPath: run).contains { $0.contains(".tmp-") })

    let resumed = try Program.run(
      ["train", "--data", try SmallCorpus.path.get(), "--run", run, "--resume"]
        + ["--set", "train.total_steps=\(saved + 5)"], ranks: ranks)
    #expect(resumed.status == 0)
    #expect(Self.latestCheckpoint(run) == saved + 5)
  }

  static func latestCheckpoint(_ run: String) -> Int? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(run)/checkpoints")) ?? []
    return names.compactMap { Int($0.dropFirst("step-".count)) }.max()
  }
}
