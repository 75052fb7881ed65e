import Foundation
import TensorFiles
import TestSupport
import Testing

/// What is said of what was saved is so: no line about weights that are nowhere, no training into a deleted folder.
@Suite("What is saved") struct RunLossTests {
  /// The lines about best weights: step, and accuracy as it stands there.
  func bestLines(_ output: String) -> [(step: Int, accuracy: String)] {
    output.split(whereSeparator: \.isNewline).compactMap { line in
      line.wholeMatch(of: /Step (\d+), best model saved\. \(accuracy=(\d\.\d{4})\)/).map {
        (Int($0.1) ?? -1, String($0.2))
      }
    }
  }

  struct Validation: Equatable {
    var step: Int
    var accuracy: Double, loss: Double
  }

  /// The validations of a run, in order.
  func validations(_ run: String) throws -> [Validation] {
    try String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8).split(separator: "\n").compactMap {
      text in
      let line = try JSON.parse(Array(text.utf8), name: "metrics")
      guard line["split"]?.string == "valid", let step = line["step"]?.int, let loss = line["loss"]?.double,
        let accuracy = line["accuracy"]?.double
      else { return nil }
      return Validation(step: step, accuracy: accuracy, loss: loss)
    }
  }

  @Test("a line for each best that was written, and for no other", arguments: [nil, 2])
  func bestModelLines(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    // Many validations on five utterances: ties are sure to come.
    let more = [
      "--set", "train.valid_steps=5", "--set", "train.save_steps=3", "--set", "train.learning_rate=0.01",
    ]
    let outcome = try Program.run(try SmallCorpus.training(run: run, steps: 200) + more, ranks: ranks)
    #expect(outcome.status == 0)
    var best: Validation?
    var expected: [Int] = []
    var ties = 0
    for validation in try validations(run) {
      if let best {
        if validation.accuracy == best.accuracy { ties += 1 }
        guard (validation.accuracy, -validation.loss) >= (best.accuracy, -best.loss) else { continue }
      }
      best = validation
      expected.append(validation.step)
    }
    #expect(ties > 0, "no tie came up")
    let lines = bestLines(outcome.output)
    #expect(lines.map(\.step) == expected)
    let last = try #require(lines.last)
    #expect(last.accuracy == String(format: "%.4f", best?.accuracy ?? -1))
    let weights = try Safetensors.read(path: "\(run)/best/model.safetensors")
    #expect(weights.metadata["step"] == String(last.step))
    #expect(weights.metadata["loss"] == best?.loss.description)
    let state = try JSON.read(path: "\(run)/checkpoints/step-00000200/state.json")
    #expect(state["best_step"]?.int == last.step && state["best_loss"]?.double == best?.loss)
  }

  @Test("a full disk and a signal save no best model, and say of none") func notSaved() throws {
    let full = try TrainingRun(steps: 40)
    let launch = try Launch(full.arguments(), after: "trap '' XFSZ; ulimit -f 16")
    #expect(launch.status() == 74)
    #expect(bestLines(launch.output).isEmpty)

    let run = try TrainingRun(steps: 1_000_000, saveSteps: 1_000_000, settings: ["train.valid_steps=1000000"])
    let stopped = try Launch(run.arguments())
    #expect(stopped.wait { run.metricsLines > 0 || stopped.status(within: 0) != nil })
    stopped.signal(SIGINT)
    #expect(stopped.status() == 75)
    #expect(run.checkpoints.count == 1)
    #expect(bestLines(stopped.output).isEmpty)
  }

  @Test(
    "a validation loss that is not a number is an error, and no weights are saved for it",
    arguments: [nil, 2])
  func notANumber(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    // The first step has learning rate 0, the second spoils every weight: the validation is the first to see it.
    let settings = ["train.learning_rate=1e38", "train.valid_steps=2", "train.warmup_steps=1"]
    let outcome = try Program.run(
      try SmallCorpus.training(run: run) + settings.flatMap { ["--set", $0] }, ranks: ranks)
    #expect(outcome.status == 65)
    #expect(outcome.errorLines.count == 1)
    let line = outcome.errorLines.first ?? ""
    #expect(
      line.contains("step 2: the loss on the validation split is not a finite number"), "\(outcome.errors)")
    #expect(line.contains("nothing is saved yet") && !line.contains("--resume"), "\(line)")
    #expect(bestLines(outcome.output).isEmpty)
    #expect(TrainTests.latestCheckpoint(run) == nil)
  }

  @Test(
    "what is deleted or replaced while training ends the run in a line that names it", arguments: [nil, 2],
    ["the run", "the run, replaced", "metrics.jsonl", "log.txt"])
  func deleted(ranks: Int?, what: String) throws {
    let run = try TrainingRun(steps: 10_000_000, saveSteps: 1_000)
    let launch = try Launch(run.arguments(), ranks: ranks, after: "ulimit -t 200")
    #expect(launch.wait { run.metricsLines > 2 || launch.status(within: 0) != nil })
    switch what {
    case "the run": try FileManager.default.removeItem(atPath: run.path)
    case "the run, replaced":
      try FileManager.default.moveItem(atPath: run.path, toPath: "\(run.path)-moved")
      try FileManager.default.copyItem(atPath: "\(run.path)-moved", toPath: run.path)
    case let name: try FileManager.default.removeItem(atPath: "\(run.path)/\(name)")
    }
    let copied = run.files
    #expect(launch.status() == 74)
    #expect(launch.errorLines.count == 1)
    let line = launch.errorLines.first ?? ""
    // While a folder is being deleted, a file in it may be missed first.
    let name = what.hasPrefix("the run") ? run.path : "\(run.path)/\(what): "
    #expect(line.hasPrefix("error: \(name)") && line.contains("deleted, moved or replaced"), "\(line)")
    #expect(Processes.none(mention: run.path))
    if what == "the run" { #expect(!FileManager.default.fileExists(atPath: run.path), "it was made again") }
    if what == "the run, replaced" {
      #expect(run.files == copied, "something was written into another's folder")
    }
  }
}
