import Foundation
import TensorFiles
import TestSupport
import Testing

/// What people type who know other programs, and what is no value at all: one line with the right answer.
@Suite("Words that people try") struct MistakeTests {
  private func line(_ arguments: [String], in folder: String? = nil, status: Int32 = 64) throws -> String {
    let outcome = try Program.run(arguments, in: folder)
    #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
    return outcome.errors.trimmingCharacters(in: .newlines)
  }

  @Test(
    "another program's name of a command is told this one's",
    arguments: [
      ("eval", "evaluate"), ("test", "evaluate"), ("validate", "evaluate"), ("infer", "predict"),
      ("fit", "train"),
      ("resume", "train --run DIR --resume"), ("benchmark", "bench"), ("preprocess", "pack"),
      ("Resume", "train --run DIR --resume"),
    ])
  func commands(_ word: String, _ command: String) throws {
    let expected = "error: unknown command '\(word)': it is 'speakerid-dist \(command)' here"
    #expect(try line([word, "--run", "r"]) == expected)
  }

  static let options: [(arguments: [String], message: String)] = [
    (["train", "--lr", "3e-4"], "it is a key of the configuration: --set train.learning_rate=3e-4"),
    (["--lr=0.1"], "it is a key of the configuration: --set train.learning_rate=0.1"),
    (["train", "--learning-rate", "0.1"], "it is a key of the configuration: --set train.learning_rate=0.1"),
    (["train", "--batch-size", "64"], "it is a key of the configuration: --set train.batch_size=64"),
    (["train", "--batch_size", "64"], "it is a key of the configuration: --set train.batch_size=64"),
    (["train", "--seed", "1"], "it is a key of the configuration: --set train.seed=1"),
    (["train", "--steps", "100"], "it is a key of the configuration: --set train.total_steps=100"),
    (["train", "--max-steps"], "it is a key of the configuration: --set train.total_steps=VALUE"),
    (["train", "--dropout", "0.2"], "it is a key of the configuration: --set model.encoder.dropout=0.2"),
    (
      ["train", "--gpus", "2"],
      "training runs on CPUs: 'mpirun -n N' starts N processes, --threads N gives each N threads"
    ),
    (
      ["train", "--device", "cuda"],
      "training runs on CPUs: 'mpirun -n N' starts N processes, --threads N gives each N threads"
    ),
    (["train", "--output-dir", "x"], "a run's folder is --run DIR"),
    (["train", "--dataset", "x"], "the data folder is --data DIR"),
    (["evaluate", "--ckpt", "x"], "weights are --weights FILE, those of a run --run DIR"),
    (["train", "--num-workers", "4"], "--threads N is the number of threads of each process"),
    (
      ["train", "--optimizer", "sgd"], "it is AdamW; train.learning_rate and train.weight_decay are its keys"
    ),
    (
      ["train", "--epochs", "10"],
      "steps are counted here, not epochs: set train.total_steps to epochs × training utterances / train.batch_size"
    ),
  ]

  @Test("another program's name of an option is told what is here in its place", arguments: options.indices)
  func anotherOption(_ index: Int) throws {
    let (arguments, message) = Self.options[index]
    let option = arguments.first { $0.hasPrefix("--") }!.prefix { $0 != "=" }
    #expect(try line(arguments) == "error: there is no option \(option): \(message)")
  }

  @Test("an option that the command has is not taken for another program's") func ownOptions() throws {
    #expect(try line(["synthesize", "--seed", "x", "--output", "y"]).contains("is invalid for '--seed"))
    #expect(
      try line(["pack", "--data", "x", "--output", "y", "--lr", "1"]).contains("Unknown option '--lr'"))
    #expect(try line(["train", "--threads", "many"]).contains("is invalid for '--threads"))
  }

  @Test("who asks for epochs is told how many steps they are, if the data is at hand") func epochs() throws {
    let data = try SmallCorpus.path.get()
    let index = try JSON.read(path: "\(data)/metadata.json")
    let utterances = (index["speakers"]?.object ?? JSONObject()).values.reduce(0) {
      $0 + ($1.array?.count ?? 0)
    }
    let training = Int(0.9 * Double(utterances))
    let steps = Int((10 * Double(training) / 16).rounded(.up))
    let ending =
      "steps are counted here, not epochs; 10.0 times the \(training) training utterances of \(data), 16 a step, are"
      + " --set train.total_steps=\(steps)"
    let flag = try line(["train", "--data", data, "--epochs", "10", "--set", "train.batch_size=16"])
    #expect(flag == "error: there is no option --epochs: \(ending)")
    let key = try line(["train", "--data", data, "--set", "epochs=10", "--set", "train.batch_size=16"])
    #expect(key == "error: --set epochs=10: unknown key 'epochs': \(ending)")
  }

  @Test("a recipe, a run or a folder of data on its own is told its option") func strayWords() throws {
    let folder = TemporaryFolder()
    for (name, file) in [("run", "config.yaml"), ("data", "metadata.json")] {
      try FileManager.default.createDirectory(
        atPath: "\(folder.path)/\(name)", withIntermediateDirectories: false)
      _ = try folder.write("{}", to: "\(name)/\(file)")
    }
    #expect(
      try line(["003-sample"])
        == "error: unknown command '003-sample': did you mean 'train --config 003-sample'?")
    #expect(
      try line(["my.yaml"]) == "error: unknown command 'my.yaml': did you mean 'train --config my.yaml'?")
    #expect(
      try line(["train", "002-boss"])
        == "error: Unexpected argument '002-boss': did you mean '--config 002-boss'?")
    #expect(
      try line(["train", "data"], in: folder.path)
        == "error: Unexpected argument 'data': did you mean '--data data'?")
    #expect(
      try line(["evaluate", "--data", "data", "run"], in: folder.path)
        == "error: Unexpected argument 'run': did you mean '--run run'?")
  }

  @Test(
    "a value that is an empty text is named, not used",
    arguments: [
      ["train", "--run", ""], ["train", "--run="], ["train", "--data", ""],
      ["train", "--config", "", "--dry-run"],
      ["evaluate", "--data", "x", "--run", ""], ["predict", "--run", "r", "--data", "d", "--output", ""],
      ["train", "--set", ""],
    ])
  func emptyValues(_ arguments: [String]) throws {
    let option =
      arguments.last == "--run=" ? "--run" : arguments[arguments.firstIndex(of: "").map { $0 - 1 } ?? 0]
    #expect(try line(arguments) == "error: \(option): expected a value, found an empty text")
  }

  @Test("an empty word is none") func emptyWords() throws {
    let expected = "error: expected a command, an option or a file, found an empty text"
    #expect(try line([""]) == expected)
    #expect(try line(["convert", "", "b.pt"]) == expected)
  }

  @Test("a negative number is a value, and is told what would be right") func negativeNumbers() throws {
    let ending = "See 'speakerid-dist train --help'."
    #expect(
      try line(["train", "--threads", "-1"]) == "error: --threads: expected 1 or more, found -1. \(ending)")
    #expect(
      try line(["train", "--threads=-1"]) == "error: --threads: expected 1 or more, found -1. \(ending)")
    #expect(
      try line(["train", "--set", "train.learning_rate=-1"])
        == "error: --set train.learning_rate=-1: train.learning_rate: expected a number above 0, found '-1'")
    #expect(
      try line(["baseline", "--data", "x", "--seed", "-5"]).contains("The value '-5' is invalid for '--seed"))
  }
}
