import Audio
import Diagnostics
import TensorCore

/// Reads crops of a corpus's recordings as sound, augments them, and makes features of them.
///
/// Belongs to one thread at a time. A crop to which nothing happens has the very features of the corpus's pack: the
/// frames around it are made too and thrown away, so that a crop's edges are no edges of the sound.
public final class SoundCrops {
  private let extractor: FeatureExtractor
  private let augmenter: SoundAugmenter
  private let factors: [Double]
  /// By utterance of the corpus.
  private let sources: [SoundSource]
  /// Frames on each side of a crop that its features must not reach beyond.
  private let context: Int

  /// What a corpus of sound needs to be trained on as sound.
  public struct Material: Sendable {
    /// Makes the features, as it made those of the corpus's pack.
    public let extractor: FeatureExtractor
    /// By utterance of the corpus.
    public let sources: [SoundSource]
    /// What speech is put under or into.
    public let recordings: SoundAugmenter.Recordings

    /// The sound of a corpus's utterances.
    ///
    /// - Throws: `.usage` where frames were taken out of the features, so that nothing says where in the sound they were;
    ///   `.badData` for a corpus that was packed from other recordings.
    public init(
      _ sound: SoundCorpus, packed corpus: Corpus, extractor: FeatureExtractor,
      recordings: SoundAugmenter.Recordings
    ) throws(Failure) {
      guard extractor.audio.trim != .energy else {
        throw Failure(
          .usage,
          "audio.trim: energy takes frames out, and sound is augmented before there are frames; set audio.trim to none"
            + " or sox, or augment features alone")
      }
      let byKey = Dictionary(sound.recordings.map { ($0.key, $0.source) }) { first, _ in first }
      var sources: [SoundSource] = []
      sources.reserveCapacity(corpus.utterances.count)
      for utterance in corpus.utterances {
        guard let source = byKey[utterance.path] else {
          throw Failure(
            .badData,
            "\(sound.directory) has no recording \(utterance.path.quoted), but its pack \(corpus.directory) does"
          )
        }
        sources.append(source)
      }
      self.extractor = extractor
      self.sources = sources
      self.recordings = recordings
    }
  }

  /// - Parameter settings: of the augmentation.
  public init(_ material: Material, _ settings: AugmentationSettings) {
    extractor = material.extractor
    sources = material.sources
    factors = settings.speed.factors
    augmenter = SoundAugmenter(settings, audio: extractor.audio, recordings: material.recordings)
    let frontEnd = extractor.frontEnd
    context =
      frontEnd.parameters.framing == .snipped
      ? 0 : (frontEnd.windowLength / 2 + frontEnd.hop - 1) / frontEnd.hop
  }

  /// Copies a crop at a speed: its start is drawn among the frames that the utterance has at that speed.
  ///
  /// - Parameters:
  ///   - utterance: an index of the corpus, whose utterance has `frames` frames.
  ///   - speed: a position in `speed.factors`.
  ///   - start: what the start is drawn from.
  ///   - draws: what else happens to it.
  ///   - crop: [frames, bands]; what is beyond the end of the utterance is left as it is.
  /// - Returns: how many frames there were.
  /// - Throws: what reading and decoding the sound throws.
  public func copyCrop(
    of utterance: Int, frames: Int, speed: Int, start stream: RandomStream, _ draws: AugmentationDraws,
    into crop: Matrix
  ) throws(Failure) -> Int {
    let factor = factors[speed], hop = extractor.frontEnd.hop
    let framesAtSpeed = factor == 1 ? frames : Int(Double(frames - 1) / factor) + 1
    let start = Crop.start(frames: framesAtSpeed, length: crop.rows, stream)
    let available = min(crop.rows, framesAtSpeed - start)
    // With what its first and last frames reach, in samples at the speed.
    let first = max(0, start - context)
    let count = (start + available - 1 - first + context) * hop + extractor.frontEnd.windowLength
    var samples: [Float]
    if factor == 1 {
      samples = try extractor.samples(of: sources[utterance], first * hop..<first * hop + count)
    } else {
      let place = Int(Double(first * hop) * factor)
      let part = place..<place + augmenter.source(of: count, speed: speed)
      samples = augmenter.change(try extractor.samples(of: sources[utterance], part), speed: speed)
    }
    try augmenter.distort(&samples, draws)
    let features = extractor.frontEnd(samples)
    let bands = extractor.bands
    let made = min(available, features.count / bands - (start - first))
    guard made > 0 else {
      throw Failure(.badData, "\(sources[utterance].path): is shorter than when it was packed")
    }
    features.withUnsafeBufferPointer { features in
      crop.base.update(from: features.baseAddress! + (start - first) * bands, count: made * bands)
    }
    return made
  }
}
