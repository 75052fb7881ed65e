import Diagnostics
import SpeechData
import TestSupport
import Testing
import Training

@Suite("Mistakes in a configuration") struct ConfigurationMistakeTests {
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
      "augment: {noise: {snr_db: 5}}\n",
      "c.yaml:1: augment.noise.snr_db: expected a list of two numbers from -100 to 100, the lower first, found '5'"
    ),
    (
      "augment: {noise: {snr_db: [5, 0]}}\n",
      "c.yaml:1: augment.noise.snr_db: expected a list of two numbers from -100 to 100, the lower first, found [5, 0]"
    ),
    (
      "augment: {speed: {factors: [1, fast]}}\n",
      "c.yaml:1: augment.speed.factors: expected a list of 1 to 8 different numbers from 0.5 to 2, found [1, fast]"
    ),
    (
      "augment: {speed: {factors: [1, [1]]}}\n",
      "c.yaml:1: augment.speed.factors: expected a list of 1 to 8 different numbers from 0.5 to 2, found a list"
    ),
    (
      "augment: {speed: {factors: [0.9, 1.1]}}\n",
      "c.yaml:1: augment.speed.factors: other speeds are other speakers (augment.speed.new_speakers), and 1 is not"
        + " among them: nobody would be who he is"
    ),
    (
      "augment: {music: {probability: 0.5}}\n",
      "c.yaml:1: augment.music.probability: needs recordings: set augment.music.corpus or augment.noise.corpus to"
        + " their folder"
    ),
    (
      "augment: {reverb: {probability: 0.5}}\n",
      "c.yaml:1: augment.reverb.probability: needs rooms: set augment.reverb.rooms to the folder of RIRS_NOISES"
    ),
    (
      "augment: {noise: {corpus: n, probability: 0.75}, reverb: {rooms: r, probability: 0.5}}\n",
      "c.yaml:1: augment.noise.probability: noise, music, babble, reverb, drop_frequency and drop_chunk happen to a"
        + " segment one at a time, and their probabilities add up to 1.25; they may add up to 1"
    ),
    (
      "augment: {mixup: 0.2}\ntrain: {shards: 32}\n",
      "c.yaml:1: augment.mixup: a shard has one segment, and nothing to mix it with; take a train.shards below"
        + " train.batch_size 32"
    ),
    (
      "data: {utterances_per_speaker: 3}\n",
      "c.yaml:1: data.utterances_per_speaker: 3 does not divide the 4 segments of a shard (train.batch_size 32 /"
        + " train.shards 8); 1, 2 or 4 would"
    ),
    (
      "data: {layout: kalid}\n",
      "c.yaml:1: data.layout: expected auto, \(listed(Layout.allCases.map(\.rawValue), "or")), found 'kalid'"
    ),
    (
      "audio: {channel: left}\n",
      "c.yaml:1: audio.channel: expected mean, or the number of a channel from 0, found 'left'"
    ),
    (
      "features: {bands: 0}\n",
      "c.yaml:1: features.bands: expected a whole number from 1 to 1024, or null for that of features.kind, found '0'"
    ),
    (
      "train: {segment_length: [400, 200]}\n",
      "c.yaml:1: train.segment_length: expected a whole number from 1 to 65536, or a list of two, the lower first,"
        + " found [400, 200]"
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
}
