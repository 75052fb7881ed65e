import Foundation
import TensorFiles
import TestSupport
import Testing

/// What `evaluate` says of a run: what the run itself said, and the same whoever is asked.
@Suite("Evaluate") struct EvaluateTests {
  private func arguments(data: String, whole: Bool = false, json: Bool = true) throws -> [String] {
    ["evaluate", "--data", data] + (whole ? ["--whole"] : []) + (json ? ["--json"] : [])
  }

  @Test("the figures are the run's own, and the same whoever is asked", arguments: [false, true])
  func figures(whole: Bool) throws {
    let run = try WholeWay.run.get()
    let forms = try WholeWay.forms
    let text = try WholeWay.output(arguments(data: forms[0], whole: whole) + ["--run", run])
    let result = try WholeWay.json(text)
    #expect(result["utterances"]?.int == 5)
    #expect(result["whole"]?.bool == whole)
    #expect(result["weights"]?.string == "\(run)/best/model.safetensors")

    let best = try JSON.read(path: "\(run)/best/state.json")
    let line = try #require(
      try RunMetrics(run: run).lines.first { $0["split"]?.string == "valid" && $0["step"] == best["step"] })
    #expect(line["accuracy"] == best["accuracy"])
    if whole {
      let loss = try #require(result["loss"]?.double)
      #expect(loss > 0 && loss.isFinite && loss != line["loss"]?.double)
    } else {
      #expect(result["loss"] == line["loss"])
      #expect(result["accuracy"] == line["accuracy"])
    }
    for ranks in WholeWay.groups {
      for form in forms {
        let again = try WholeWay.output(
          arguments(data: form, whole: whole) + ["--run", run, "--threads", "2"], ranks: ranks)
        #expect(again == text, "\(ranks ?? 0) ranks, \(form)")
      }
    }
  }

  @Test("a person gets the same figures in a line", arguments: [nil, 3]) func text(ranks: Int?) throws {
    let run = try WholeWay.run.get()
    for (whole, unit) in [(false, "segments of 32 frames"), (true, "whole utterances")] {
      let data = try SmallCorpus.path.get()
      let result = try WholeWay.json(WholeWay.output(arguments(data: data, whole: whole) + ["--run", run]))
      let text = try WholeWay.output(
        arguments(data: data, whole: whole, json: false) + ["--run", run], ranks: ranks)
      let figures = String(
        format: "accuracy %.4f, loss %.4f", try #require(result["accuracy"]?.double),
        try #require(result["loss"]?.double))
      let expected = "\(figures) on 5 \(unit), with \(run)/best/model.safetensors"
      #expect(text.split(separator: "\n").last.map(String.init) == expected, "\(text)")
    }
  }

  @Test("a run is its best weights with its configuration", arguments: [nil, 3]) func weights(ranks: Int?)
    throws
  {
    let run = try WholeWay.run.get()
    let best = "\(run)/best/model.safetensors"
    for whole in [false, true] {
      let call = try arguments(data: SmallCorpus.path.get(), whole: whole)
      let text = try WholeWay.output(call + ["--run", run], ranks: ranks)
      #expect(try WholeWay.output(call + WholeWay.weights(best, of: run), ranks: ranks) == text)
    }
  }

  @Test("a checkpoint is judged by its name, its number or its folder", arguments: [nil, 3])
  func checkpoint(ranks: Int?) throws {
    let run = try WholeWay.run.get()
    let call = try arguments(data: SmallCorpus.path.get()) + ["--run", run]
    let file = "\(run)/checkpoints/step-00000070/model.safetensors"
    let expected = try WholeWay.output(
      arguments(data: SmallCorpus.path.get()) + WholeWay.weights(file, of: run), ranks: ranks)
    for name in ["step-00000070", "70", "\(run)/checkpoints/step-00000070/"] {
      #expect(try WholeWay.output(call + ["--checkpoint", name], ranks: ranks) == expected, "\(name)")
    }
    for name in ["71", "step-", "newest"] {
      let outcome = try Program.run(call + ["--checkpoint", name], ranks: ranks)
      #expect(outcome.status == 66)
      #expect(
        outcome.errorLines == [
          "error: \(run): there is no checkpoint \(name); there are step-00000060, step-00000070 and step-00000080"
        ], "\(outcome.errors)")
    }
    let alone = try Program.run(
      arguments(data: SmallCorpus.path.get()) + WholeWay.weights(file, of: run) + ["--checkpoint", "70"])
    #expect(alone.status == 64)
    #expect(alone.errorLines == ["error: --checkpoint 70: expected the --run that it is a checkpoint of"])
  }

  @Test("more processes than shards judge as one does") func moreRanksThanShards() throws {
    let run = try WholeWay.run.get()
    // The same network; one shard says nothing about what is judged.
    let shards = ["--set", "train.shards=1"]
    let call = try arguments(data: SmallCorpus.path.get()) + ["--run", run] + shards
    let expected = try WholeWay.output(arguments(data: SmallCorpus.path.get()) + ["--run", run])
    #expect(try WholeWay.output(call, ranks: 3) == expected)
  }

  @Test("without best weights it is the last checkpoint that is whole", arguments: [nil, 3]) func noBest(
    ranks: Int?
  ) throws {
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    try FileManager.default.copyItem(atPath: try WholeWay.run.get(), toPath: run)
    try FileManager.default.removeItem(atPath: "\(run)/best")
    let call = try arguments(data: SmallCorpus.path.get())
    for step in [80, 70, 60] {
      let checkpoint = "\(run)/checkpoints/step-000000\(step)"
      let file = "\(checkpoint)/model.safetensors"
      let text = try WholeWay.output(call + ["--run", run], ranks: ranks)
      #expect(try WholeWay.json(text)["weights"]?.string == file)
      #expect(try WholeWay.output(call + WholeWay.weights(file, of: run), ranks: ranks) == text)
      // The next one is damaged in one way or another.
      if step == 80 {
        let model = try #require(FileManager.default.contents(atPath: file))
        try model.prefix(model.count - 4).write(to: URL(fileURLWithPath: file))
      } else {
        try FileManager.default.removeItem(atPath: checkpoint)
      }
    }
    try FileManager.default.removeItem(atPath: "\(run)/checkpoints")
    let outcome = try Program.run(call + ["--run", run], ranks: ranks)
    #expect(outcome.status == 66)
    #expect(
      outcome.errorLines == ["error: \(run): the run has neither best weights nor a checkpoint yet"])
    #expect(outcome.output.isEmpty)
  }
}
