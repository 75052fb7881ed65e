import Foundation
import TensorFiles
import TestSupport
import Testing
import Training

/// A run that is gone on with ends like one that was never disturbed, bit for bit, whoever goes on with it.
@Suite("Resuming") struct ResumeTests {
  typealias Group = SmallTraining.Group

  /// Who began and who goes on.
  static let relays: [(first: Group, second: Group, threads: Int)] = [
    (.solo, .threads(ranks: 3), 1), (.threads(ranks: 4), .solo, 2),
    (.threads(ranks: 2), .threads(ranks: 8), 1),
    (.threads(ranks: 3), .threads(ranks: 2), 2),
  ]

  @Test("saved at 20, resumed by others, equal at 50", arguments: SmallTraining.recipes.keys.sorted())
  func relay(recipe: String) throws {
    let corpus = try SmallCorpus()
    let training = SmallTraining(recipe, data: corpus.path)
    let undisturbed = try training(.solo)
    for (first, second, threads) in Self.relays {
      let folder = TemporaryFolder()
      let run = "\(folder.path)/run"
      _ = try training.run(in: run, first, threads: 1)
      try Self.fallBack(run, to: 20)
      let resumed = try training.run(in: run, second, threads: threads, resume: true)
      #expect(resumed.differences(from: undisturbed) == [], "\(recipe): \(first), then \(second)")
    }
  }

  @Test("with the run's own configuration, again and again") func everyCheckpoint() throws {
    let corpus = try SmallCorpus()
    var training = SmallTraining("conformer", data: corpus.path)
    training.settings["train.save_steps"] = "7"
    training.settings["train.keep_checkpoints"] = "100"
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    let undisturbed = try training.run(in: run, .solo, threads: 2)
    var bare = training
    bare.settings = [:]
    for (round, step) in [49, 42, 35, 28, 21, 14, 7].enumerated() {
      try Self.fallBack(run, to: step)
      let resumed = try bare.run(in: run, .threads(ranks: 1 + round % 4), threads: 1, resume: true)
      #expect(resumed.differences(from: undisturbed) == [], "from step \(step)")
    }
  }

  @Test("before the first checkpoint it starts again") func beginning() throws {
    let corpus = try SmallCorpus()
    let training = SmallTraining("transformer", data: corpus.path)
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    let undisturbed = try training.run(in: run, .solo, threads: 1)
    try Self.fallBack(run, to: 0)
    #expect(try training.run(in: run, .solo, threads: 1, resume: true).differences(from: undisturbed) == [])
  }

  @Test("a finished run has nothing left to do") func end() throws {
    let corpus = try SmallCorpus()
    let training = SmallTraining("transformer", data: corpus.path)
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    let undisturbed = try training.run(in: run, .solo, threads: 1)
    let again = try training.run(in: run, .threads(ranks: 2), threads: 1, resume: true)
    #expect(again.differences(from: undisturbed) == [])
  }

  /// Takes the checkpoints beyond `step` away, as if the run had been killed before it made them; what else it
  /// wrote stays, and half of a line.
  static func fallBack(_ run: String, to step: Int) throws {
    let store = try RunDirectory.open(run).checkpoints(keep: 3)
    for later in store.steps where later > step {
      try FileManager.default.removeItem(atPath: store.path(step: later))
    }
    let metrics = try #require(FileHandle(forWritingAtPath: "\(run)/metrics.jsonl"))
    try metrics.seekToEnd()
    try metrics.write(contentsOf: Data(#"{"step": 51, "split": "tr"#.utf8))
    try metrics.close()
  }
}
