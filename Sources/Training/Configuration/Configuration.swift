import Audio
import Collectives
import DataParallel
import Diagnostics
import SpeakerNet
import SpeechData

/// Everything a run is told: what it is given, what network, and how it is trained.
///
/// ``ConfigurationKey/all`` is the one list of its keys; reading, writing, `--set` and the help text all walk
/// that list.
public struct Configuration: Equatable, Sendable {
  /// The `audio:` part.
  public var audio = AudioSettings()
  /// The `features:` part.
  public var features = FeatureSettings()
  /// The `data:` part.
  public var data = DataConfiguration()
  /// The `augment:` part.
  public var augment = AugmentationSettings()
  /// The `model:` part.
  public var model = ModelConfiguration()
  /// The `train:` part.
  public var train = TrainConfiguration()

  /// The defaults: the homework's sample model, trained as its notebook trains it.
  public init() {}

  /// The recipe of the bare command: the sample model on the built-in corpus, short enough to watch.
  public static var builtIn: Configuration {
    var recipe = Configuration()
    recipe.train.totalSteps = 1_200
    recipe.train.warmupSteps = 100
    recipe.train.validSteps = 200
    recipe.train.saveSteps = 400
    return recipe
  }
}

extension Configuration {
  /// The first contradiction between keys, if there is one: the key at fault and what it should be.
  ///
  /// Single values are checked by their ``ConfigurationKey``.
  var inconsistency: (key: String, message: String)? {
    let dModel = model.dModel
    if !dModel.isMultiple(of: model.encoder.heads) {
      let heads = Self.divisors(of: dModel)
      return (
        "model.encoder.heads",
        "\(model.encoder.heads) heads do not divide model.d_model \(dModel); \(Self.choices(heads)) would"
      )
    }
    if !train.batchSize.isMultiple(of: train.shards) {
      let shards = Self.divisors(of: train.batchSize)
      return (
        "train.shards",
        "\(train.shards) shards do not divide train.batch_size \(train.batchSize); "
          + "\(Self.choices(shards)) would"
      )
    }
    if train.reduction == .mpi && train.exchange != .f32 {
      return ("train.exchange", "train.reduction mpi sums floats; only ordered sends \(train.exchange)")
    }
    return augmentationInconsistency ?? samplingInconsistency
  }

  /// Checks that every one of `ranks` processes has a shard to work on.
  ///
  /// - Throws: a usage `Failure` that says which numbers would work.
  public func check(ranks: Int) throws {
    guard ranks > train.shards else { return }
    let enough = Self.divisors(of: train.batchSize).filter { $0 >= ranks }
    let advice =
      enough.isEmpty
      ? "start at most \(train.shards), or take a train.batch_size of at least \(ranks)"
      : "start at most \(train.shards), or --set train.shards=\(enough[0])"
        + " (any of \(Self.choices(enough)) divides train.batch_size \(train.batchSize))"
    throw Failure(
      .usage, "train.shards: \(train.shards) is too few for \(ranks) processes; \(advice)")
  }

  /// Checks that a batch can be trained on.
  ///
  /// - Throws: a usage `Failure` where BatchNorm would have one value of each channel.
  public func checkBatch() throws {
    guard model.batchNormValues(samples: train.batchSize, frames: train.segmentLengths.lowerBound) == 1 else {
      return
    }
    throw Failure(
      .usage,
      "train.batch_size: a batch of \(train.batchSize) leaves BatchNorm one value of each channel, which has no"
        + " variance; at least 2 would do")
  }

  /// What is allowed but seldom meant, one line each.
  public var remarks: [String] {
    var remarks: [String] = []
    if train.warmupSteps >= train.totalSteps {
      remarks.append(
        "the warm-up (train.warmup_steps \(train.warmupSteps)) is not over when the run ends"
          + " (train.total_steps \(train.totalSteps)): the learning rate never reaches "
          + YAMLScalar.text(of: train.learningRate))
    }
    if train.reduction == .mpi {
      remarks.append("train.reduction mpi: the bits of this run depend on the number of processes")
    }
    return remarks
  }

  /// The keys in which two configurations differ, with both values.
  public func differences(
    from earlier: Configuration
  ) -> [(key: ConfigurationKey, earlier: String, now: String)] {
    ConfigurationKey.all.compactMap { key in
      let before = key.value(in: earlier) ?? "null", now = key.value(in: self) ?? "null"
      return before == now ? nil : (key, before, now)
    }
  }

  /// Checks that a run which was started with `started` can go on with this configuration.
  ///
  /// - Throws: a usage `Failure` for a key that decides what the weights are or which random numbers are drawn.
  public func check(resuming started: Configuration) throws {
    guard let change = differences(from: started).first(where: { $0.key.onResume == .fixed }) else { return }
    throw Failure(
      .usage,
      "\(change.key.name): the run was started with \(change.earlier) and cannot be resumed with "
        + "\(change.now); keep \(change.earlier) or start another --run")
  }

  private static func divisors(of number: Int) -> [Int] {
    (1...max(1, number)).filter { number.isMultiple(of: $0) }
  }

  private static func choices(_ numbers: [Int]) -> String { listed(numbers.map(String.init), "or") }
}
