import Audio
import TensorCore

/// Where a training or validation segment starts in its utterance.
///
/// The random starts are the notebook's `random.randint(0, len - length)`, both ends included, but drawn from
/// the counter-based stream: a training crop depends on (seed, step, shard, sample), a validation crop on
/// (seed, utterance) alone, so every validation of a run sees the same segments.
public enum Crop {
  /// What stands behind the end of an utterance shorter than the segment, as in the notebook's collate
  /// function. Features are natural logarithms with a floor of ln 1e-9 = -20.7, so this is nearly silence.
  public static let padding: Float = -20

  /// The first frame of a segment: uniform in `0 ... frames - length`, and 0 when there is no choice.
  ///
  /// - Parameters:
  ///   - frames: frames of the utterance.
  ///   - length: frames of the segment.
  public static func start(frames: Int, length: Int, _ stream: RandomStream) -> Int {
    frames > length ? stream.integer(below: frames - length + 1, at: 0) : 0
  }

  /// The stream of the training crop of slot `sample` of `shard` in `step`.
  public static func training(seed: UInt64, step: Int, shard: Int, sample: Int) -> RandomStream {
    RandomStream(seed: seed, purpose: .crop, step: step, shard: shard, sample: sample)
  }

  /// The stream of the validation crop of an utterance (an index into `Corpus.utterances`).
  public static func validation(seed: UInt64, utterance: Int) -> RandomStream {
    RandomStream(seed: seed, purpose: .validationCrop, sample: utterance)
  }
}

/// Copies segments of one fixed length out of a corpus, padding utterances that are shorter.
public struct SegmentReader: Sendable {
  /// Where the frames come from; the utterances asked for have to be prepared.
  public let corpus: Corpus
  /// Frames of a segment.
  public let length: Int
  /// What is taken off it.
  public let normalization: FeatureSettings.MeanNormalization

  /// - Parameter length: `train.segment_length`, at least 1.
  public init(
    corpus: Corpus, length: Int, normalization: FeatureSettings.MeanNormalization = .none
  ) {
    precondition(length > 0, "a segment has at least one frame")
    self.corpus = corpus
    self.length = length
    self.normalization = normalization
  }

  /// Copies the segment of `utterance` whose start `stream` draws into `segment`, [length, bands] row-major.
  ///
  /// Rows behind the end of the utterance become the normalization's `padding`. Safe from several threads; allocates
  /// nothing.
  /// - Throws: what `Corpus.copyFrames` throws.
  public func copySegment(
    of utterance: Int, _ stream: RandomStream, into segment: UnsafeMutablePointer<Float>
  ) throws {
    let frames = corpus.utterances[utterance].frames
    let start = Crop.start(frames: frames, length: length, stream)
    let available = min(length, frames - start)
    try corpus.copyFrames(of: utterance, from: start, count: available, into: segment)
    normalization.apply(to: segment, frames: available, bands: corpus.bands)
    (segment + available * corpus.bands).update(
      repeating: normalization.padding, count: (length - available) * corpus.bands)
  }
}
