import Collectives
import DataParallel

/// How a network is trained: the `train:` part of a configuration file.
///
/// Defaults are the homework's: AdamW at 1e-3, 1,000 steps of warm-up, cosine to 0 at step 70,000.
public struct TrainConfiguration: Equatable, Sendable {
  /// Segments of one step, over all ranks.
  public var batchSize = 32
  /// Steps of the whole run.
  public var totalSteps = 70_000
  /// Steps over which the learning rate rises from 0.
  public var warmupSteps = 1_000
  /// Steps between two validations.
  public var validSteps = 2_000
  /// Steps between two checkpoints.
  public var saveSteps = 10_000
  /// The learning rate at the end of the warm-up.
  public var learningRate = 0.001
  /// AdamW's decoupled weight decay.
  public var weightDecay = 0.01
  /// Frames of a training segment; of several, each step draws one for all of its segments.
  public var segmentLengths = 128...128
  /// What every random number of the run, and the train/validation split, comes from.
  public var seed: UInt64 = 87
  /// Into how many equal slices a batch is cut; see docs/architecture.md.
  public var shards = 8
  /// How gradients are summed.
  public var reduction: Reduction = .ordered
  /// What gradients are sent as.
  public var exchange: NodePrecision = .f32
  /// Whether gradients are sent while the backward pass still runs; the same bits either way.
  public var overlap = true
  /// How many of the latest checkpoints are kept.
  public var keepCheckpoints = 3
  /// Seconds after which a process that does not move ends the run; 0 for never.
  public var stallTimeout = 60.0
  /// Steps between two comparisons of the parameters of all ranks; 0 for none.
  public var checksumSteps = 1_000

  /// The homework's training.
  public init() {}

  /// The most frames of a training segment, which validation segments have.
  public var segmentLength: Int {
    get { segmentLengths.upperBound }
    set { segmentLengths = newValue...newValue }
  }
}
