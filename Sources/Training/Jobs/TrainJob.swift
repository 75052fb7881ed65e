/// The options of `train`.
public struct TrainJob: Job {
  /// A configuration file; `nil` for the built-in recipe, or with ``resume`` for the run's own.
  public var configurationFile: String?
  /// `key=value`, beating the file.
  public var overrides: [String] = []
  /// The homework's directory or a packed one; `nil` for the built-in corpus.
  public var data: String?
  /// The run directory; `nil` for a new one under `runs/`.
  public var runDirectory: String?
  /// Whether to go on from the latest checkpoint of ``runDirectory``.
  public var resume = false
  /// Whether to check everything, say what would be done, and do nothing.
  public var dryRun = false
  /// Weights to start from, `.safetensors`, `.pt` or `.ckpt`; `nil` to draw them.
  public var weights: String?
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// The bare command: the built-in recipe on the built-in corpus.
  public init() {}
}
