/// The options of `predict`.
public struct PredictJob: Job {
  /// The weights, and the network they belong to.
  public var source: WeightsSource
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// A directory with a `testdata.json`, or a packed one.
  public var data: String
  /// Where the homework's submission goes.
  public var output: String
  /// Where the logits go, a safetensors file with `logits` F32 [utterances, speakers]; `nil` for nowhere.
  public var logits: String?
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Predicts the speakers of the test utterances of `data`.
  public init(source: WeightsSource, data: String, output: String) {
    self.source = source
    self.data = data
    self.output = output
  }
}
