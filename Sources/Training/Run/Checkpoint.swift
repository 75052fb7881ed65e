import TensorFiles

/// Everything a run needs to go on bit for bit: no generator state and no rank, because random numbers depend
/// on the step alone.
public struct Checkpoint: Equatable, Sendable {
  /// How far the run is.
  public var progress: RunProgress
  /// The weights under their PyTorch names.
  public var model: NamedTensors
  /// AdamW's moments.
  public var optimizer: NamedTensors

  /// A checkpoint of these parts.
  public init(progress: RunProgress, model: NamedTensors, optimizer: NamedTensors) {
    self.progress = progress
    self.model = model
    self.optimizer = optimizer
  }
}

/// How far a run is, and what it was computed with.
public struct RunProgress: Equatable, Sendable {
  /// Steps done.
  public var step: Int
  /// The best validation accuracy so far, 0 ... 1, and the step it was reached at.
  public var best: BestResult?
  /// The run's seed.
  public var seed: UInt64
  /// The run's shards.
  public var shards: Int
  /// The kernel sets in use, one name per rank: other kernels give other low bits.
  public var kernels: [String]
  /// The corpus it is trained on (`Corpus.fingerprint`); `nil` in runs of versions that did not note it.
  public var data: UInt64?
  /// Whether a validation was due at this step and was given up for a signal: the run goes on with it.
  public var lacksValidation = false
  /// Training figures since the last line of the metrics, so that the next line is that of an undisturbed run.
  public var window = MetricsWindow()

  /// The progress of a run after `step` steps.
  public init(step: Int, best: BestResult? = nil, seed: UInt64, shards: Int, kernels: [String] = []) {
    self.step = step
    self.best = best
    self.seed = seed
    self.shards = shards
    self.kernels = kernels
  }
}

/// The best validation of a run.
public struct BestResult: Equatable, Sendable {
  /// Accuracy on the validation split, 0 ... 1.
  public var accuracy: Double
  /// The step after which it was measured.
  public var step: Int

  /// A result.
  public init(accuracy: Double, step: Int) {
    self.accuracy = accuracy
    self.step = step
  }
}

/// Training figures summed up for the next line of the metrics.
public struct MetricsWindow: Equatable, Sendable {
  /// Steps in it.
  public var steps = 0
  /// Sums of the batches' losses and accuracies.
  public var loss = 0.0, accuracy = 0.0

  /// An empty window.
  public init() {}

  /// Takes in one step.
  public mutating func add(loss: Float, accuracy: Float) {
    steps += 1
    self.loss += Double(loss)
    self.accuracy += Double(accuracy)
  }
}
