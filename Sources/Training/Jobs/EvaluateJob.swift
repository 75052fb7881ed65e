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
