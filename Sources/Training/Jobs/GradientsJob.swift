/// The options of `gradients`.
public struct GradientsJob: Job {
  /// The configuration of the network; `nil` for the defaults.
  public var configurationFile: String?
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// The weights; they say how many speakers there are.
  public var weights: String
  /// The global batch: `mels` F32 [B, T, 40] and `labels` I64 [B].
  public var batch: String
  /// Where `loss`, `logits` and `grad.NAME` go.
  public var output: String
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// One forward and backward pass of `weights` on `batch`.
  public init(configurationFile: String?, weights: String, batch: String, output: String) {
    self.configurationFile = configurationFile
    self.weights = weights
    self.batch = batch
    self.output = output
  }
}
