import Audio

/// What is done to the data on the way into a training step. By default nothing.
///
/// Everything drawn is a function of (seed, step, shard, sample). Of ``noise``, ``music``, ``babble``, ``reverb``,
/// ``dropFrequency`` and ``dropChunk`` at most one happens to a sample: their probabilities are those of one draw, and
/// add up to 1 at most. The others happen beside it.
public struct AugmentationSettings: Equatable, Sendable {
  /// Masks over bands and over frames.
  public var spec = SpecMasks()
  /// The most frames by which time is warped about a random centre; 0 for none.
  public var warp = 0
  /// The range of a gain in decibels.
  public var gain = NumberRange(0, 0)
  /// Noise under the speech, from any recording of a corpus that is neither of ``music`` nor of ``babble``'s kind.
  public var noise = Interference(decibels: NumberRange(0, 15))
  /// Music under the speech.
  public var music = Interference(decibels: NumberRange(5, 15))
  /// Several other speakers under the speech.
  public var babble = Interference(decibels: NumberRange(13, 20))
  /// How many speakers ``babble`` is.
  public var babbleVoices = 3...7
  /// Rooms.
  public var reverb = Reverb()
  /// Other speeds.
  public var speed = Speed()
  /// The parameter α of mixup's Beta(α, α); 0 for none (Zhang and others, arXiv 1710.09412).
  public var mixup = 0.0
  /// Narrow bands of the sound that are taken out.
  public var dropFrequency = Drop(count: 1...3, size: 0.05...0.05)
  /// Stretches of the sound that are silenced; sizes are samples.
  public var dropChunk = Drop(count: 1...5, size: 1_000...2_000)

  /// Nothing is changed.
  public init() {}

  /// SpecAugment's masks (Park and others, arXiv 1904.08779).
  public struct SpecMasks: Equatable, Sendable {
    /// Of a sample being masked at all.
    public var probability = 1.0
    /// Masks over bands.
    public var bandMasks = 0
    /// The most bands of each; the least is none.
    public var bandWidth = 8
    /// Masks over frames.
    public var timeMasks = 0
    /// The most frames of each; the least is none.
    public var timeWidth = 13
    /// The largest part of a sample that one mask over frames covers (the paper's p).
    public var timeFraction = 1.0

    /// No masks; the widths are those for 128 frames of 40 bands.
    public init() {}
    /// Whether any sample is masked.
    public var isOn: Bool { probability > 0 && (bandMasks > 0 || timeMasks > 0) }
  }

  /// Other sound under the speech.
  public struct Interference: Equatable, Sendable {
    /// The folder of a packed corpus, or of sound; `nil` for that of ``AugmentationSettings/noise``.
    public var corpus: String?
    /// Of its happening to a sample.
    public var probability = 0.0
    /// The range of the ratio of the speech's energy to (each of) the others', in decibels.
    public var decibels: NumberRange

    /// None, at ratios from that range.
    public init(decibels: NumberRange) { self.decibels = decibels }
  }

  /// Reverberation, by the impulse responses of a folder.
  public struct Reverb: Equatable, Sendable {
    /// The folder, as RIRS_NOISES comes.
    public var rooms: String?
    /// Of its happening to a sample.
    public var probability = 0.0
    /// Whose: what becomes of the sound's way to the microphone and of its loudness.
    public var alignment = Reverberator.Alignment.none

    /// No rooms.
    public init() {}
  }

  /// Speed perturbation (Ko and others, Interspeech 2015).
  public struct Speed: Equatable, Sendable {
    /// Each as likely as any other. Not empty; just 1 for none.
    public var factors = [1.0]
    /// Whether a speaker at another speed is another speaker (Yamamoto and others, Interspeech 2019).
    public var makesNewSpeakers = true

    /// The speed that everything has.
    public init() {}
    /// Whether any sample is changed.
    public var isOn: Bool { factors != [1] }

    /// How many speakers each of the data's becomes, himself included.
    public var variants: Int { makesNewSpeakers ? factors.count : 1 }

    /// Which of them somebody is at the speed of a position in ``factors``: 0 for himself, at the speed 1, then the
    /// others in their order.
    public func variant(_ position: Int) -> Int {
      guard makesNewSpeakers, factors[position] != 1 else { return 0 }
      return factors[..<position].contains(1) ? position : position + 1
    }
  }

  /// Parts of the sound that are taken out, as SpeechBrain's DropFreq and DropChunk do.
  public struct Drop: Equatable, Sendable {
    /// Of its happening to a sample.
    public var probability = 0.0
    /// How many.
    public var count: ClosedRange<Int>
    /// How large each is.
    public var size: ClosedRange<Double>

    /// None, of that number and size.
    public init(count: ClosedRange<Int>, size: ClosedRange<Double>) {
      self.count = count
      self.size = size
    }
  }

  /// Numbers from one to another.
  public struct NumberRange: Equatable, Sendable {
    public var low: Double, high: Double

    /// From `low` to `high`.
    public init(_ low: Double, _ high: Double) {
      self.low = low
      self.high = high
    }

    /// The number at `place`, 0 ... 1, of the way.
    func callAsFunction(at place: Float) -> Double { low + (high - low) * Double(place) }
  }

  /// The folders that are laid under speech, each once.
  public var folders: [String] {
    var folders: [String] = []
    for part in [noise, music, babble] where part.probability > 0 {
      if let folder = part.corpus ?? noise.corpus, !folders.contains(folder) { folders.append(folder) }
    }
    return folders
  }

  /// Whether something is asked for that features alone cannot give.
  public var needsSound: Bool {
    reverb.probability > 0 || dropFrequency.probability > 0 || dropChunk.probability > 0
  }

  /// The probability of one of those that exclude each other; 1 at most.
  public var chancesInAll: Double {
    noise.probability + music.probability + babble.probability + reverb.probability
      + dropFrequency.probability
      + dropChunk.probability
  }

  /// Whether any sample is changed.
  public var isOn: Bool {
    spec.isOn || warp > 0 || gain != NumberRange(0, 0) || chancesInAll > 0 || speed.isOn || mixup > 0
  }
}
