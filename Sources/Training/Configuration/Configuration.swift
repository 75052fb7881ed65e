import SpeakerNet

/// Everything a run is told: what network, and how it is trained.
///
/// ``ConfigurationKey/all`` is the one list of its keys; reading, writing, `--set` and the help text all walk
/// that list.
public struct Configuration: Equatable, Sendable {
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
