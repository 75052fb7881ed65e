import Diagnostics
import Foundation
import SpeakerNet
import TensorFiles
import TestSupport
import Testing
import Training

@Suite struct ConfigurationTests {
  // MARK: Round trips

  @Test("every key is written and read back, with comments and without") func roundTrip() throws {
    var random = SeededGenerator(seed: 87)
    for _ in 0..<2_000 {
      let configuration = Configuration.random(using: &random)
      #expect(try Configuration.parse(yaml: configuration.yaml()) == configuration)
      #expect(try Configuration.parse(yaml: configuration.yaml(comments: true)) == configuration)
    }
  }

  @Test("a configuration as JSON has every key, of the type that it has in YAML") func json() throws {
    var configuration = Configuration()
    configuration.model.encoder.dropout = 0.35
    let json = configuration.json
    for key in ConfigurationKey.all {
      let value = key.name.split(separator: ".").reduce(Optional(json)) { $0?[String($1)] }
      #expect(value != nil, "\(key.name)")
    }
    #expect(json.object?.keys == ["model", "train"])
    #expect(json["model"]?["encoder"]?["dropout"] == .number(0.35))
    #expect(json["model"]?["encoder"]?["parameter_limit"] == .null)
    #expect(json["train"]?["batch_size"] == .integer(32) && json["train"]?["overlap"] == .bool(true))
    #expect(json["train"]?["reduction"] == .string("ordered"))
  }

  @Test("every key can be set on the command line") func overrides() throws {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<500 {
      let configuration = Configuration.random(using: &random)
      let overrides = ConfigurationKey.all.map { "\($0.name)=\($0.value(in: configuration) ?? "null")" }
      #expect(try Configuration.load(file: nil, overrides: overrides) == configuration)
    }
  }

  @Test("the defaults are the homework's, whatever an empty file looks like") func defaults() throws {
    let defaults = try Configuration.load(file: nil)
    #expect(defaults == Configuration())
    #expect(defaults.train.totalSteps == 70_000)
    #expect(try Configuration.parse(yaml: "") == defaults)
    #expect(try Configuration.parse(yaml: "train:\n  # nothing set\nmodel: {}\n") == defaults)
    #expect(try Configuration.parse(yaml: Configuration.documentation) == defaults)
  }

  @Test("the command line beats the file, which beats the defaults") func precedence() throws {
    let folder = TemporaryFolder()
    let file = try folder.write("train: {total_steps: 500, warmup_steps: 7}\n", to: "mine.yaml")
    let read = try Configuration.load(
      file: file, overrides: ["train.total_steps=600", "train.total_steps=900"])
    #expect(read.train.totalSteps == 900)
    #expect(read.train.warmupSteps == 7)
    #expect(read.train.batchSize == 32)
  }

  @Test("the built-in recipe is valid, and there is nothing to remark about it") func builtIn() throws {
    let recipe = Configuration.builtIn
    #expect(try Configuration.parse(yaml: recipe.yaml()) == recipe)
    #expect(recipe.remarks.isEmpty)
    #expect(recipe.model == ModelConfiguration())
  }

  // MARK: Errors

  /// What is wrong with a file, and the one line a person gets.
  static let badFiles: [(yaml: String, message: String)] = [
    (
      "train:\n  totl_steps: 5\n",
      "c.yaml:2: unknown key 'train.totl_steps': did you mean 'train.total_steps'?"
    ),
    ("modle:\n  d_model: 8\n", "c.yaml:1: unknown key 'modle': did you mean 'model'?"),
    (
      "model:\n  dropout: 0.1\n",
      "c.yaml:2: unknown key 'model.dropout': did you mean 'model.encoder.dropout'?"
    ),
    (
      "quaternions: 4\n",
      "c.yaml:1: unknown key 'quaternions'; 'speakerid-dist train --help-config' lists the known ones"
    ),
    (
      "train:\n\n  total_steps: many\n",
      "c.yaml:3: train.total_steps: expected a whole number from 1 to 1000000000, found 'many'"
    ),
    (
      "train: {total_steps: 1e4}\n",
      "c.yaml:1: train.total_steps: expected a whole number from 1 to 1000000000, found '1e4'"
    ),
    (
      "train: {total_steps: \"4000\"}\n",
      "c.yaml:1: train.total_steps: expected a whole number from 1 to 1000000000, found the text '4000'"
    ),
    (
      "train: {total_steps: }\n",
      "c.yaml:1: train.total_steps: expected a whole number from 1 to 1000000000, found nothing"
    ),
    (
      "train: {total_steps: [1, 2]}\n",
      "c.yaml:1: train.total_steps: expected a whole number from 1 to 1000000000, found a list"
    ),
    ("train: 5\n", "c.yaml:1: train: expected keys and values, found '5'"),
    ("- 1\n", "c.yaml: expected keys and values, found a list"),
    (
      "train: {learning_rate: -1}\n",
      "c.yaml:1: train.learning_rate: expected a number above 0, found '-1'"
    ),
    (
      "train: {learning_rate: .inf}\n",
      "c.yaml:1: train.learning_rate: expected a number above 0, found '.inf'"
    ),
    (
      "model: {encoder: {kernel: 30}}\n",
      "c.yaml:1: model.encoder.kernel: expected an odd number from 1 to 1023, found '30'"
    ),
    (
      "model: {encoder: {kind: tranformer}}\n",
      "c.yaml:1: model.encoder.kind: expected transformer, conformer, shared_transformer or "
        + "conv_transformer, found 'tranformer'"
    ),
    (
      "model: {encoder: {parameter_limit: -3}}\n",
      "c.yaml:1: model.encoder.parameter_limit: expected a whole number of 1 or more, or null for no limit, "
        + "found '-3'"
    ),
    (
      "model:\n  d_model: 80\n  encoder:\n    heads: 3\n",
      "c.yaml:4: model.encoder.heads: 3 heads do not divide model.d_model 80; "
        + "1, 2, 4, 5, 8, 10, 16, 20, 40 or 80 would"
    ),
    (
      "train: {shards: 5}\n",
      "c.yaml:1: train.shards: 5 shards do not divide train.batch_size 32; 1, 2, 4, 8, 16 or 32 would"
    ),
    (
      "train: {seed: 1}\ntrain.seed: 2\n", "c.yaml:2: train.seed is already given at c.yaml:1"
    ),
  ]

  @Test("a mistake in a file is named with its line and what would be right", arguments: badFiles)
  func badFile(file: (yaml: String, message: String)) {
    #expect(throws: Failure(.usage, file.message)) {
      try Configuration.parse(yaml: file.yaml, name: "c.yaml")
    }
  }

  @Test(
    "YAML that cannot be read is told in one line",
    arguments: [
      "train: {seed: 1, seed: 2}\n", "train: {seed: 1\n", "a: 'b\n", "\t- x\n", "a: b: c\n", "*x\n",
    ])
  func badYAML(yaml: String) {
    do {
      _ = try Configuration.parse(yaml: yaml, name: "c.yaml")
      Issue.record("\(yaml) was read")
    } catch let failure as Failure {
      #expect(failure.kind == .usage)
      #expect(failure.message.hasPrefix("c.yaml:"))
      #expect(!failure.message.contains("\n"))
    } catch {
      Issue.record("\(error)")
    }
  }

  static let badOverrides: [(override: String, message: String)] = [
    (
      "train.total_steps",
      "--set train.total_steps: expected key=value, for example --set train.total_steps=4000"
    ),
    ("lr=1", "--set lr=1: unknown key 'lr': did you mean 'train.learning_rate'?"),
    ("train.lr=1", "--set train.lr=1: unknown key 'train.lr': did you mean 'train.learning_rate'?"),
    (
      "learning_rate=1",
      "--set learning_rate=1: unknown key 'learning_rate': did you mean 'train.learning_rate'?"
    ),
    ("batch_size=8", "--set batch_size=8: unknown key 'batch_size': did you mean 'train.batch_size'?"),
    (
      "epochs=3",
      "--set epochs=3: unknown key 'epochs': steps are counted here, not epochs: set train.total_steps to epochs ×"
        + " training utterances / train.batch_size"
    ),
    (
      "train.num_speakers=3",
      "--set train.num_speakers=3: unknown key 'train.num_speakers': the number of speakers comes from the data"
    ),
    ("reduction=mpi", "--set reduction=mpi: unknown key 'reduction': did you mean 'train.reduction'?"),
    (
      "train.batchsize=3",
      "--set train.batchsize=3: unknown key 'train.batchsize': did you mean 'train.batch_size'?"
    ),
    (
      "model.encoder=conformer",
      "--set model.encoder=conformer: 'model.encoder' is a group of keys: set one of them, "
        + "for example model.encoder.kind"
    ),
    (
      "train.reduction=ring",
      "--set train.reduction=ring: train.reduction: expected ordered or mpi, found 'ring'"
    ),
    (
      "train.seed=",
      "--set train.seed=: train.seed: expected a whole number from 0 to "
        + "9223372036854775807, found nothing"
    ),
    (
      "train.shards=3",
      "--set train.shards=3: train.shards: 3 shards do not divide train.batch_size 32; "
        + "1, 2, 4, 8, 16 or 32 would"
    ),
  ]

  @Test("a mistake on the command line is named with what would be right", arguments: badOverrides)
  func badOverride(bad: (override: String, message: String)) {
    #expect(throws: Failure(.usage, bad.message)) {
      try Configuration.load(file: nil, overrides: [bad.override])
    }
  }

  @Test("a file that is not there is missing input") func missingFile() {
    #expect(throws: Failure(.missingInput, "no/such.yaml: there is no such configuration file")) {
      try Configuration.load(file: "no/such.yaml")
    }
  }

  @Test("a file changed at random is read, or refused in a line") func fuzz() {
    var random = SeededGenerator(seed: 11)
    let alphabet = Array("train: model\n  {}[],'\"#&*!|>-0123e.~\tsd_shards:batch_size")
    let sample = Array(Configuration().yaml())
    for _ in 0..<5_000 {
      var text = sample
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let place = Int.random(in: 0..<text.count, using: &random)
        text[place] = alphabet.randomElement(using: &random)!
      }
      do {
        let read = try Configuration.parse(yaml: String(text), name: "f")
        #expect(try Configuration.parse(yaml: read.yaml()) == read)
      } catch let failure as Failure {
        #expect(failure.kind == .usage)
        #expect(!failure.message.contains("\n"))
      } catch {
        Issue.record("\(error)")
      }
    }
  }

  // MARK: Ranks, remarks and resuming

  @Test("every process needs a shard, and the message says which numbers would do") func shards() throws {
    let configuration = Configuration()
    for ranks in 1...8 { try configuration.check(ranks: ranks) }
    let tooFew = Failure(
      .usage,
      "train.shards: 8 is too few for 12 processes; start at most 8, or --set train.shards=16 "
        + "(any of 16 or 32 divides train.batch_size 32)")
    #expect(throws: tooFew) { try configuration.check(ranks: 12) }
    let tooMany = Failure(
      .usage,
      "train.shards: 8 is too few for 33 processes; start at most 8, "
        + "or take a train.batch_size of at least 33")
    #expect(throws: tooMany) { try configuration.check(ranks: 33) }
  }

  @Test("a warm-up longer than the run is allowed, and remarked") func remark() throws {
    let short = try Configuration.load(file: nil, overrides: ["train.total_steps=50"])
    #expect(short.remarks.count == 1)
    #expect(short.remarks[0].contains("never reaches 0.001"))
  }

  @Test("a resumed run may become longer, but keeps what its bits depend on") func resumed() throws {
    let started = Configuration()
    var longer = started
    longer.train.totalSteps = 80_000
    try longer.check(resuming: started)
    var other = longer
    other.train.seed = 88
    let refused = Failure(
      .usage,
      "train.seed: the run was started with 87 and cannot be resumed with 88; keep 87 or start another --run")
    #expect(throws: refused) { try other.check(resuming: started) }
    #expect(other.differences(from: started).map(\.key.name) == ["train.total_steps", "train.seed"])
  }
}
