import Audio
import Diagnostics

/// Augments crops of sound, one after the other: other speeds, and of noise, music, babble, rooms, notches and silenced
/// stretches the one that happens. What is done to features (``Augmenter``: gain, warp, masks) comes after.
///
/// Belongs to one thread at a time. What it does to a crop depends on the crop and on its ``AugmentationDraws``
/// alone; the recordings are read when they are wanted.
public final class SoundAugmenter {
  /// What speech is put under or into.
  public struct Recordings: Sendable {
    /// By kind; `nil` where the settings do not ask for it.
    public var noise: SoundRecordings?, music: SoundRecordings?, speech: SoundRecordings?
    /// The rooms' impulse responses.
    public var rooms: SoundRecordings?

    /// Nothing.
    public init() {}

    /// Those in the folders of the settings, of every kind that has a probability there.
    ///
    /// - Throws: `.usage` without a folder, and what ``SoundRecordings`` throws.
    public init(of settings: AugmentationSettings) throws(Failure) {
      func find(
        _ kind: NoiseRecordings.Kind, _ asked: AugmentationSettings.Interference, _ name: String
      ) throws(Failure) -> SoundRecordings? {
        guard asked.probability > 0 else { return nil }
        let key = "augment.\(asked.corpus == nil ? "noise" : name).corpus"
        guard let folder = asked.corpus ?? settings.noise.corpus else {
          throw Failure(.usage, "\(key): augment.\(name).probability needs a folder of sound, as MUSAN comes")
        }
        return try SoundRecordings(kind, in: folder, key: key)
      }
      noise = try find(.noise, settings.noise, "noise")
      music = try find(.music, settings.music, "music")
      speech = try find(.speech, settings.babble, "babble")
      guard settings.reverb.probability > 0 else { return }
      let key = "augment.reverb.rooms"
      guard let folder = settings.reverb.rooms else {
        throw Failure(
          .usage, "\(key): augment.reverb.probability needs a folder of rooms, as RIRS_NOISES comes")
      }
      rooms = try SoundRecordings(roomsIn: folder, key: key)
    }
  }

  private let settings: AugmentationSettings
  private let rate: Int
  private let recordings: Recordings
  /// By position in `speed.factors`.
  private let speeds: [Resampler]
  private let clips: SoundClips
  private let convolver = Convolver()
  private let reverberator = Reverberator()

  /// - Parameter audio: of the crops, for their rate and bandwidth.
  public init(_ settings: AugmentationSettings, audio: AudioSettings, recordings: Recordings) {
    self.settings = settings
    self.recordings = recordings
    rate = audio.rate
    speeds = settings.speed.factors.map {
      Resampler(from: Int(($0 * Self.precision).rounded()), to: Int(Self.precision))
    }
    clips = SoundClips(audio)
  }

  // MARK: Speed

  /// How many samples of a recording a crop of `count` is made of, at one of the speeds.
  public func source(of count: Int, speed: Int) -> Int {
    Int((Double(count) * settings.speed.factors[speed]).rounded(.up))
      + (settings.speed.factors[speed] == 1 ? 0 : 1)
  }

  /// How many samples a recording of `count` has at one of the speeds.
  public func samples(of count: Int, speed: Int) -> Int { speeds[speed].samples(of: count) }

  /// Plays a stretch at one of the speeds, as SoX's `speed` does it: pitch and formants move with it.
  ///
  /// - Returns: `samples(of:speed:)` samples.
  public func change(_ samples: [Float], speed: Int) -> [Float] {
    settings.speed.factors[speed] == 1 ? samples : speeds[speed](samples)
  }

  /// Speeds are told apart to a thousandth.
  private static let precision = 1_000.0

  // MARK: Noise, rooms, drops

  /// Does to a crop what happens to it.
  ///
  /// - Throws: what reading the recordings throws.
  public func distort(_ crop: inout [Float], _ draws: AugmentationDraws) throws(Failure) {
    guard !crop.isEmpty else { return }
    switch draws.event {
    case .noise: try add(recordings.noise, settings.noise.decibels, .noise, to: &crop, draws)
    case .music: try add(recordings.music, settings.music.decibels, .music, to: &crop, draws)
    case .babble: try add(recordings.speech, settings.babble.decibels, .babble, to: &crop, draws)
    case .reverb:
      guard let rooms = recordings.rooms else { return }
      let path = rooms.paths[draws.room(of: rooms.paths.count)]
      let response = try clips.response(of: path, atMost: Self.longestResponse * rate)
      reverberator.reverberate(&crop, response, settings.reverb.alignment)
    case .dropFrequency: NotchFilter(draws.notches)(&crop, convolver)
    case .dropChunk:
      for chunk in draws.chunks(of: crop.count) { crop.silence(chunk) }
    case nil: break
    }
  }

  /// Adds recordings, each at a ratio of its own to the crop as it was.
  private func add(
    _ recordings: SoundRecordings?, _ range: AugmentationSettings.NumberRange,
    _ event: AugmentationDraws.Event,
    to crop: inout [Float], _ draws: AugmentationDraws
  ) throws(Failure) {
    guard let paths = recordings?.paths else { return }
    let power = crop.meanPower
    for index in 0..<draws.recordings(event) {
      let path = paths[draws.recording(index, of: paths.count)]
      let clip = try clips.clip(of: path, count: crop.count) { draws.start(ofRecording: index, of: $0) }
      crop.add(clip, power: power, decibels: draws.decibels(ofRecording: index, range))
    }
  }

  /// In seconds; rooms sound for less.
  private static let longestResponse = 10
}
