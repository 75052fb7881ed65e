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
    #expect(json.object?.keys == ["audio", "features", "data", "augment", "model", "train"])
    #expect(json["model"]?["encoder"]?["dropout"] == .number(0.35))
    #expect(json["model"]?["encoder"]?["parameter_limit"] == .null)
    #expect(json["train"]?["batch_size"] == .integer(32) && json["train"]?["overlap"] == .bool(true))
    #expect(json["train"]?["reduction"] == .string("ordered"))
    #expect(json["augment"]?["noise"]?["snr_db"] == .array([.number(0), .number(15)]))
    #expect(json["augment"]?["noise"]?["corpus"] == .null)
    #expect(json["train"]?["segment_length"] == .integer(128))
    configuration.train.segmentLengths = 200...400
    #expect(configuration.json["train"]?["segment_length"] == .array([.integer(200), .integer(400)]))
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

  @Test("parts that are as by default are not written, and others whole") func optionalParts() throws {
    #expect(Configuration().yaml().hasPrefix("model:\n"))
    var noisy = Configuration()
    noisy.augment.noise.corpus = "/data/a folder: \"noise\" # 1"
    noisy.augment.noise.probability = 0.5
    noisy.train.segmentLengths = 200...400
    let yaml = noisy.yaml()
    #expect(yaml.hasPrefix("augment:\n  spec:\n"))
    #expect(
      yaml.contains(
        "    corpus: \"/data/a folder: \\\"noise\\\" # 1\"\n    probability: 0.5\n    snr_db: [0.0, 15.0]\n"))
    #expect(yaml.contains("  segment_length: [200, 400]\n"))
    #expect(!yaml.contains("audio:") && !yaml.contains("features:"))
    #expect(try Configuration.parse(yaml: yaml) == noisy)
  }

  @Test("lists are read in every form of YAML, and one number stands for two") func lists() throws {
    let read = try Configuration.parse(
      yaml: """
        augment:
          noise: {corpus: "null and void", snr_db: [ -5,10.5 ]}
          babble:
            voices: 4
          speed:
            factors:
              - 1
              - 0.9
        train: {segment_length: [200, 400]}
        """)
    #expect(read.augment.noise.corpus == "null and void")
    #expect(read.augment.noise.decibels == .init(-5, 10.5) && read.augment.babbleVoices == 4...4)
    #expect(read.augment.speed.factors == [1, 0.9] && read.train.segmentLengths == 200...400)
  }

  @Test("of several files a later one beats those before it, and each may give a key once") func files()
    throws
  {
    let folder = TemporaryFolder()
    let first = try folder.write("train: {total_steps: 500, seed: 7}\n", to: "first.yaml")
    let second = try folder.write("train: {total_steps: 600}\naugment: {warp: 3}\n", to: "second.yaml")
    let read = try Configuration.load(files: [first, second], overrides: ["augment.warp=4"])
    #expect(read.train.totalSteps == 600 && read.train.seed == 7 && read.augment.warp == 4)
    #expect(try Configuration.load(files: [second, first]).train.totalSteps == 500)
    let twice = try folder.write("train: {seed: 1}\ntrain.seed: 2\n", to: "twice.yaml")
    #expect(throws: Failure(.usage, "\(twice):2: train.seed is already given at \(twice):1")) {
      try Configuration.load(files: [first, twice])
    }
  }

  // MARK: Random files

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
