import Diagnostics

/// How sound becomes the samples that features are made of: the `audio:` part of a configuration.
///
/// The order is that of the members: decoded, one channel made of several, resampled, made equally loud, trimmed, and
/// held against the limits of length.
public struct AudioSettings: Equatable, Sendable {
  /// What becomes of several channels.
  public enum Channel: Equatable, Sendable {
    /// Their mean, as SpeechBrain and ffmpeg's `-ac 1` have it.
    case mean
    /// One of them, from 0; Kaldi and WeSpeaker take 0.
    case number(Int)
  }

  /// What becomes of a file that ends before its header says so.
  public enum Truncated: String, Sendable, CaseIterable {
    /// It is refused.
    case error
    /// What there is of it is taken.
    case accept
  }

  /// What is taken out of a recording.
  public enum Trim: String, Sendable, CaseIterable {
    case none
    /// Stretches of 100 ms below 1 %, as SoX's `silence 1 0.1 1% -1 0.1 1%` takes them out of the samples.
    case sox
    /// Frames without voice, as Kaldi's `compute-vad` with VoxCeleb's settings takes them out of the features.
    case energy
  }

  /// Samples a second of what features are made of.
  public var rate = 16_000
  /// Samples a second that every recording passes through on its way to `rate`, so that none has more bandwidth than
  /// another; nil for none.
  public var bandwidth: Int?
  /// What becomes of several channels.
  public var channel = Channel.mean
  /// What becomes of a file that ends before its header says so.
  public var truncated = Truncated.error
  /// To what level the loudest sample is brought, in dB below full scale (at most 0), as SoX's `norm`; nil to leave it.
  public var peakDecibels: Double?
  /// What is taken out.
  public var trim = Trim.none
  /// Recordings that have less left are left out, in seconds.
  public var minSeconds = 1.0
  /// What is behind this is cut off, in seconds; nil for nothing.
  public var maxSeconds: Double?

  /// What a homework's folder was made of: 16 kHz, several channels' mean.
  public init() {}

  /// The rates that are read.
  public static let rates = 4_000...192_000
}

/// What features are made of samples: the `features:` part of a configuration.
///
/// The kind says all of it; what is not nil beside it takes the place of one of its numbers.
public struct FeatureSettings: Equatable, Sendable {
  /// Whose front end.
  public enum Kind: String, Sendable, CaseIterable {
    /// The homework's, and yistLin/dvector's: torchaudio's `MelSpectrogram` and the natural logarithm.
    case dvector40
    /// WeSpeaker's: `kaldi.fbank` of samples in int16's units.
    case wespeaker80
    /// SpeechBrain's `Fbank`.
    case speechbrain80
  }

  /// What is subtracted from the features that the network sees.
  public enum MeanNormalization: String, Sendable, CaseIterable {
    case none
    /// Each band's mean over the frames: of the crop in training, of all that is seen at once otherwise.
    case utterance
  }

  /// What a frame is multiplied with.
  public enum Window: String, Sendable, CaseIterable {
    /// `0.5 - 0.5 cos(2πn/N)`, torch's default.
    case hann
    /// `0.54 - 0.46 cos(2πn/N)`, with N or N - 1 as the kind has it.
    case hamming
    /// Kaldi's default, `(0.5 - 0.5 cos(2πn/(N - 1)))^0.85`.
    case povey
  }

  /// Whose front end.
  public var kind = Kind.dvector40
  /// Mel bands, the width of a frame.
  public var bands: Int?
  /// The left corner of the lowest filter in Hz.
  public var lowHertz: Double?
  /// The right corner of the highest filter in Hz.
  public var highHertz: Double?
  /// Milliseconds under the window.
  public var windowMilliseconds: Double?
  /// Milliseconds from one frame to the next.
  public var hopMilliseconds: Double?
  /// What a frame is multiplied with.
  public var window: Window?
  /// The coefficient of `x[n] - c·x[n-1]`; 0 for none.
  public var preemphasis: Double?
  /// The standard deviation of the noise that is added to a frame, in int16's units; 0 for none.
  public var dither: Double?
  /// By how many dB an utterance's quietest value lies below its loudest at most; SpeechBrain's alone.
  public var topDecibels: Double?
  /// What is subtracted from the features that the network sees.
  public var meanNormalization = MeanNormalization.none

  /// The homework's.
  public init() {}

  /// Mel bands, the width of a frame.
  public var bandCount: Int { bands ?? FrontEndParameters(kind).bands }

  /// The most bands that a frame may have.
  public static let mostBands = 1_024
}

/// All numbers of a front end.
public struct FrontEndParameters: Equatable, Sendable {
  /// Where frames lie in the signal.
  public enum Framing: String, Sendable {
    /// Around multiples of the hop, the signal mirrored at its ends: torch.stft's default.
    case reflected
    /// Around multiples of the hop, zeros beyond the signal's ends.
    case zeroPadded = "zero-padded"
    /// Within the signal: Kaldi's `snip_edges`.
    case snipped
  }

  /// The shape of the filters.
  public enum Filters: String, Sendable {
    /// Triangles over Hz between equal steps of mel: torchaudio's, by the formula of HTK.
    case htk
    /// Triangles over mel between equal steps of mel.
    case kaldi
    /// Triangles over Hz whose both slopes are as wide as the gap to the left: SpeechBrain's.
    case speechbrain
  }

  /// What energies become.
  public enum Compression: String, Sendable {
    /// The natural logarithm.
    case naturalLogarithm = "ln"
    /// Ten times the logarithm to the base 10.
    case decibels = "dB"
  }

  /// Mel bands, the width of a frame.
  public var bands: Int
  /// The left corner of the lowest filter.
  public var lowHertz: Double
  /// The right corner of the highest filter.
  public var highHertz: Double
  /// What is under the window.
  public var windowMilliseconds = 25.0
  /// From one frame to the next.
  public var hopMilliseconds = 10.0
  /// What a frame is multiplied with.
  public var window: FeatureSettings.Window
  /// Whether the window's period is its length, not one less.
  public var isPeriodic: Bool
  /// Where frames lie in the signal.
  public var framing: Framing
  /// Whether the transform's length is the next power of two, not the window's.
  public var isPadded: Bool
  /// What samples of full scale 1 are multiplied with.
  public var scale = 1.0
  /// Whether a frame's mean is taken off it.
  public var removesMean = false
  /// The coefficient of `x[n] - c·x[n-1]`; 0 for none.
  public var preemphasis = 0.0
  /// The standard deviation of the noise that is added to a frame, in the scale's units; 0 for none.
  public var dither = 0.0
  /// The shape of the filters.
  public var filters: Filters
  /// What energies become.
  public var compression = Compression.naturalLogarithm
  /// The least energy told apart from silence.
  public var floor: Double
  /// By how many dB an utterance's quietest value lies below its loudest at most; nil for no limit.
  public var topDecibels: Double?

  /// The numbers of a kind at 16 kHz.
  public init(_ kind: FeatureSettings.Kind) {
    switch kind {
    case .dvector40:
      (bands, lowHertz, highHertz, window, isPeriodic, framing) = (40, 50, 8_000, .hann, true, .reflected)
      (isPadded, filters, floor) = (false, .htk, 1e-9)
    case .wespeaker80:
      (bands, lowHertz, highHertz, window, isPeriodic, framing) = (80, 20, 8_000, .hamming, false, .snipped)
      (isPadded, filters, floor) = (true, .kaldi, Double(Float.ulpOfOne))
      (scale, removesMean, preemphasis) = (32_768, true, 0.97)
    case .speechbrain80:
      (bands, lowHertz, highHertz, window, isPeriodic, framing) = (80, 0, 8_000, .hamming, true, .zeroPadded)
      (isPadded, filters, floor) = (false, .speechbrain, 1e-10)
      (compression, topDecibels) = (.decibels, 80)
    }
  }

  /// The numbers of a configuration; the highest frequency is half the rate where that is less.
  public init(_ settings: FeatureSettings, rate: Int) {
    self.init(settings.kind)
    bands = settings.bands ?? bands
    lowHertz = settings.lowHertz ?? lowHertz
    highHertz = settings.highHertz ?? min(highHertz, Double(rate) / 2)
    windowMilliseconds = settings.windowMilliseconds ?? windowMilliseconds
    hopMilliseconds = settings.hopMilliseconds ?? hopMilliseconds
    window = settings.window ?? window
    preemphasis = settings.preemphasis ?? preemphasis
    dither = settings.dither ?? dither
    topDecibels = settings.topDecibels ?? topDecibels
  }

  /// Samples under the window.
  public func windowLength(rate: Int) -> Int { Int((windowMilliseconds * Double(rate) / 1_000).rounded()) }

  /// Samples from one frame to the next.
  public func hop(rate: Int) -> Int { Int((hopMilliseconds * Double(rate) / 1_000).rounded()) }

  /// Samples that are transformed.
  func transformLength(rate: Int) -> Int {
    let length = windowLength(rate: rate)
    return isPadded ? 1 << (Int.bitWidth - max(0, length - 1).leadingZeroBitCount) : length
  }
}
