import Foundation
import TensorFiles
import TestSupport
import Testing

/// A network is used on features as those that it was trained on, and on no others.
@Suite("A run's features") struct FeatureRecipeTests {
  private let corpus: SmallCorpus
  private let folder = TemporaryFolder()
  private static let recipe = #"{"kind": "wespeaker80", "bands": 12, "trim": "none"}"#

  init() throws { corpus = try SmallCorpus(speakers: 4, utterances: 48) }

  private func pack(_ name: String, bands: Int = 12, recipe: String? = FeatureRecipeTests.recipe) throws
    -> String
  {
    try corpus.packSound(name, files: 4, bands: bands, recipe: recipe)
  }

  private func train(on data: String, _ run: String, ranks: Int? = nil) throws -> Program.Outcome {
    try Program.run(
      SmallCorpus.training(run: run, data: data) + ["--set", "features.mean_norm=utterance"], ranks: ranks)
  }

  @Test("are noted in everything that it writes, with the speakers' names; the same on any number of ranks")
  func noted() throws {
    let data = try pack("packed"), runs = ["one", "two"].map { folder($0) }
    for (run, ranks) in zip(runs, [nil, 2]) {
      let outcome = try train(on: data, run, ranks: ranks)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    let files = ["best/model.safetensors", "checkpoints/step-00000020/model.safetensors"]
    for file in files {
      let weights = try Safetensors.read(path: "\(runs[0])/\(file)")
      #expect(weights.metadata["recipe"] == Self.recipe)
      #expect(weights.metadata["speakers"] == #"["speaker0", "speaker1", "speaker2", "speaker3"]"#)
      #expect(weights["prenet.weight"]?.shape.last == 12)
      #expect(
        FileManager.default.contents(atPath: "\(runs[0])/\(file)")
          == FileManager.default.contents(atPath: "\(runs[1])/\(file)"))
    }
    let recipe = try JSON.parse(Array(Self.recipe.utf8), name: "recipe")
    #expect(try JSON.read(path: "\(runs[0])/checkpoints/step-00000020/state.json")["recipe"] == recipe)
    #expect(try JSON.read(path: "\(runs[0])/run.json")["data"]?["recipe"] == recipe)
    let configuration = try String(contentsOfFile: "\(runs[0])/config.yaml", encoding: .utf8)
    #expect(configuration.contains("mean_norm: utterance"))
  }

  @Test("are those of the data that it is judged on, predicts or goes on with, or it is refused")
  func mismatch() throws {
    let run = folder("run")
    #expect(try train(on: try pack("packed"), run).status == 0)
    let same = try pack("same"), silent = try pack("silent", recipe: nil)
    let trimmed = try pack("trimmed", recipe: #"{"kind": "wespeaker80", "bands": 12, "trim": "sox"}"#)
    let wide = try pack("wide", bands: 13, recipe: nil)
    for command in ["evaluate", "predict"] {
      func outcome(_ data: String, _ source: [String]) throws -> Program.Outcome {
        try Program.run(
          [command] + source + ["--data", data]
            + (command == "predict" ? ["--output", folder("answers.csv")] : []))
      }
      let byRun = ["--run", run]
      let byFile = ["--weights", "\(run)/best/model.safetensors", "--config", "\(run)/config.yaml"]
      for source in [byRun, byFile] {
        let good = try outcome(same, source)
        #expect(good.status == 0 && !good.errors.contains("warning"), "\(good.errors)")
        let unknown = try outcome(silent, source)
        #expect(unknown.status == 0)
        #expect(unknown.errors.contains("warning: \(silent) does not say what its features were made with"))
        let other = try outcome(trimmed, source)
        #expect(other.status == 65)
        #expect(
          other.errorLines.first?.contains(
            "trim is sox in what its features were made with, where \(run)/best/model.safetensors was trained on none"
          )
            == true, "\(other.errors)")
        let wider = try outcome(wide, source)
        #expect(wider.status == 65)
        #expect(wider.errorLines.first?.contains("bands is 13, where \(run)/best") == true, "\(wider.errors)")
      }
    }
    func resume(_ data: String) throws -> Program.Outcome {
      try Program.run(
        ["train", "--run", run, "--resume", "--data", data, "--set", "train.total_steps=30"])
    }
    let other = try resume(trimmed)
    #expect(other.status == 64)
    #expect(other.errorLines.first?.contains("trim is sox in what its features were made with") == true)
    #expect(try resume(wide).status != 0)
    #expect(try resume(same).status == 0)
  }

  @Test("may be others than those of the weights that it begins with, but not silently")
  func weights() throws {
    let run = folder("run"), next = folder("next")
    #expect(try train(on: try pack("packed"), run).status == 0)
    let trimmed = try pack("trimmed", recipe: #"{"kind": "wespeaker80", "bands": 12, "trim": "sox"}"#)
    let best = "\(run)/best/model.safetensors"
    let outcome = try Program.run(
      SmallCorpus.training(run: next, data: trimmed) + ["--weights", best])
    #expect(outcome.status == 0)
    #expect(
      outcome.errors.contains(
        "warning: trim is sox in what the data's features were made with, where \(best) was trained on none"),
      "\(outcome.errors)")
  }

  @Test("that nobody noted go together with any of as many bands")
  func homework() throws {
    let run = folder("run")
    let outcome = try Program.run(SmallCorpus.training(run: run, data: corpus.folder("data")))
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try Safetensors.read(path: "\(run)/best/model.safetensors").metadata["recipe"] == nil)
    let sound = try pack("sound", bands: 40, recipe: #"{"kind": "dvector40", "bands": 40}"#)
    let good = try Program.run(["evaluate", "--run", run, "--data", sound])
    #expect(good.status == 0 && !good.errors.contains("warning"), "\(good.errors)")
    let narrow = try Program.run(["evaluate", "--run", run, "--data", try pack("narrow")])
    #expect(narrow.status == 65)
    #expect(narrow.errorLines.first?.contains("bands is 12, where") == true)
  }
}
