import Foundation
import TensorFiles
import TestSupport
import Testing

/// The homework's submission: every test utterance in its place, with the speaker whose logit is the largest.
@Suite("Predict") struct PredictTests {
  /// What `predict` writes.
  private struct Answer: Equatable {
    let submission: Data, logits: Data

    init(_ arguments: [String], data: String, ranks: Int? = nil) throws {
      let folder = TemporaryFolder()
      let outputs = ["\(folder.path)/output.csv", "\(folder.path)/logits.safetensors"]
      _ = try WholeWay.output(
        ["predict", "--data", data, "--output", outputs[0], "--logits", outputs[1]] + arguments, ranks: ranks)
      submission = try #require(FileManager.default.contents(atPath: outputs[0]))
      logits = try #require(FileManager.default.contents(atPath: outputs[1]))
      // Nothing else is left behind.
      #expect(try files(below: folder.path).count == 2)
    }

    /// [utterances, speakers]
    func rows() throws -> [[Float]] {
      let folder = TemporaryFolder()
      let file = "\(folder.path)/logits.safetensors"
      try logits.write(to: URL(fileURLWithPath: file))
      let tensor = try Safetensors.read(path: file).tensor("logits", in: file)
      try #require(tensor.shape.count == 2)
      let values = try tensor.float32Values()
      return (0..<tensor.shape[0]).map { row in
        Array(values[row * tensor.shape[1]..<(row + 1) * tensor.shape[1]])
      }
    }
  }

  @Test("the submission is the speaker of the largest logit of each utterance") func submission() throws {
    let data = try SmallCorpus.path.get()
    let answer = try Answer(["--run", try WholeWay.run.get()], data: data)
    let rows = try answer.rows()
    let tests = try #require(try JSON.read(path: "\(data)/testdata.json")["utterances"]?.array)
    let names = try #require(try JSON.read(path: "\(data)/mapping.json")["id2speaker"])
    #expect(tests.count == 8 && rows.count == 8)
    #expect(rows.allSatisfy { $0.count == 4 && $0.allSatisfy(\.isFinite) })

    var expected = "Id,Category\r\n"
    var categories: Set<String> = []
    for (test, row) in zip(tests, rows) {
      let largest = try #require(row.indices.max { row[$0] < row[$1] })
      let name = try #require(names["\(largest)"]?.string)
      expected += "\(try #require(test["feature_path"]?.string)),\(name)\r\n"
      categories.insert(name)
    }
    #expect(String(decoding: answer.submission, as: UTF8.self).utf8.elementsEqual(expected.utf8))
    // One answer for all could be right by chance, and so could rows in another order.
    #expect(categories.count > 1)
    #expect(Set(rows).count == rows.count)
  }

  @Test("the bytes are the same for every form of the data and number of ranks") func bytes() throws {
    let run = try WholeWay.run.get()
    let forms = try WholeWay.forms
    let expected = try Answer(["--run", run], data: forms[0])
    for ranks in WholeWay.groups {
      for form in forms {
        let answer = try Answer(["--run", run, "--threads", "2"], data: form, ranks: ranks)
        #expect(answer == expected, "\(ranks ?? 0) ranks, \(form)")
      }
    }
  }

  @Test("a run is its best weights with its configuration, from either kind of file", arguments: [nil, 3])
  func weights(ranks: Int?) throws {
    let run = try WholeWay.run.get(), data = try SmallCorpus.path.get()
    let folder = TemporaryFolder()
    let best = "\(run)/best/model.safetensors", torch = "\(folder.path)/best.ckpt"
    #expect(try Program.run(["convert", best, torch]).status == 0)
    let expected = try Answer(["--run", run], data: data, ranks: ranks)
    for file in [best, torch] {
      #expect(try Answer(WholeWay.weights(file, of: run), data: data, ranks: ranks) == expected, "\(file)")
    }
    // Other weights say something else.
    let bestStep = try JSON.read(path: "\(run)/best/state.json")["step"]?.int
    let other = "\(run)/checkpoints/step-000000\(bestStep == 80 ? 70 : 80)/model.safetensors"
    #expect(try Answer(WholeWay.weights(other, of: run), data: data, ranks: ranks).logits != expected.logits)
  }

  @Test("without test utterances it says so", arguments: [nil, 2]) func noTests(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let data = "\(folder.path)/data"
    try FileManager.default.copyItem(atPath: try SmallCorpus.path.get(), toPath: data)
    try FileManager.default.removeItem(atPath: "\(data)/testdata.json")
    let outcome = try Program.run(
      [
        "predict", "--run", try WholeWay.run.get(), "--data", data, "--output", "\(folder.path)/output.csv",
      ], ranks: ranks)
    #expect(outcome.status == 66)
    #expect(
      outcome.errorLines == ["error: \(data): there is no testdata.json, so nothing to predict"],
      "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/output.csv"))
  }
}
