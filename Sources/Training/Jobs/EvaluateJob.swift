/// The options of `evaluate`.
public struct EvaluateJob: Job {
  /// The weights, and the network they belong to.
  public var source: WeightsSource
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// The homework's directory or a packed one.
  public var data: String
  /// Whether whole utterances are judged instead of segments.
  public var whole = false
  /// Whether the result is one JSON object.
  public var json = false
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Evaluates `source` on the validation split of `data`.
  public init(source: WeightsSource, data: String) {
    self.source = source
    self.data = data
  }
}

/// Where a command that uses trained weights takes them from.
public enum WeightsSource: Equatable, Sendable {
  /// The best weights of a run, with the run's configuration.
  case run(String)
  /// A file of weights and the configuration of its network; `nil` for the defaults.
  case file(weights: String, configuration: String?)
}
