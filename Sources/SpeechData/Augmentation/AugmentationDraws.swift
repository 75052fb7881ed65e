import TensorCore

/// The random decisions about one sample of one shard in one step: what happens to it, and how.
///
/// Every decision has a place of its own in the sample's stream, whether others are taken or not. So what is drawn for
/// one kind of augmentation does not change when another is turned on, and nothing depends on how many were drawn.
public struct AugmentationDraws: Sendable {
  /// What happens to a sample at most one of.
  public enum Event: Sendable, CaseIterable {
    case noise, music, babble, reverb, dropFrequency, dropChunk
  }

  let settings: AugmentationSettings
  let stream: RandomStream

  /// The places of decisions. Part of what a run's bits are.
  enum Place {
    static let speed = 0, event = 1, gain = 2, warpCentre = 3, warpShift = 4, spec = 5
    static let partner = 6, mixup = 7, voices = 8
    /// From here on two for each mask over bands, and over frames.
    static let bandMask = 64, timeMask = 128
    /// From here on four for each recording that is added.
    static let interference = 192
    /// From here on what is done to sound.
    static let sound = 512
  }

  /// The decisions about slot `sample` of `shard` in `step`.
  public init(_ settings: AugmentationSettings, seed: UInt64, step: Int, shard: Int, sample: Int) {
    self.settings = settings
    stream = RandomStream(seed: seed, purpose: .augmentation, step: step, shard: shard, sample: sample)
  }

  /// Which of the speeds, a position in `speed.factors`.
  public var speed: Int { stream.integer(below: settings.speed.factors.count, at: Place.speed) }

  /// What else happens.
  public var event: Event? {
    var rest = Double(stream.uniform(at: Place.event))
    for event in Self.events {
      rest -= probability(of: event)
      if rest < 0 { return event }
    }
    return nil
  }

  /// Once: `allCases` makes a new array each time.
  private static let events = Event.allCases

  private func probability(of event: Event) -> Double {
    switch event {
    case .noise: settings.noise.probability
    case .music: settings.music.probability
    case .babble: settings.babble.probability
    case .reverb: settings.reverb.probability
    case .dropFrequency: settings.dropFrequency.probability
    case .dropChunk: settings.dropChunk.probability
    }
  }

  /// The gain in decibels.
  package var gain: Double { settings.gain(at: stream.uniform(at: Place.gain)) }

  /// How many recordings are added.
  package func recordings(_ event: Event) -> Int {
    guard event == .babble else { return 1 }
    let voices = settings.babbleVoices
    return voices.lowerBound + stream.integer(below: voices.count, at: Place.voices)
  }

  /// Which of `count` recordings the one of number `index` is.
  package func recording(_ index: Int, of count: Int) -> Int {
    stream.integer(below: count, at: Place.interference + 4 * index)
  }

  /// Where a piece of it begins, of `count` places.
  package func start(ofRecording index: Int, of count: Int) -> Int {
    stream.integer(below: count, at: Place.interference + 4 * index + 1)
  }

  /// How many decibels it is below the speech.
  package func decibels(ofRecording index: Int, _ range: AugmentationSettings.NumberRange) -> Double {
    range(at: stream.uniform(at: Place.interference + 4 * index + 2))
  }

  /// Where `frames` are parted, and where the parting moves; `nil` where they are too few to be warped.
  package func warp(frames: Int) -> (from: Int, to: Int)? {
    let most = settings.warp
    guard most > 0, frames > 2 * most else { return nil }
    let from = most + stream.integer(below: frames - 2 * most, at: Place.warpCentre)
    // Neither part may become empty.
    let to = from - most + stream.integer(below: 2 * most + 1, at: Place.warpShift)
    return (from, min(max(to, 1), frames - 1))
  }

  /// Whether there are masks.
  package var isMasked: Bool {
    settings.spec.isOn && Double(stream.uniform(at: Place.spec)) < settings.spec.probability
  }

  /// The bands of a mask.
  package func bandMask(_ index: Int, bands: Int) -> Range<Int> {
    mask(at: Place.bandMask + 2 * index, most: min(settings.spec.bandWidth, bands), of: bands)
  }

  /// The frames of a mask.
  package func timeMask(_ index: Int, frames: Int) -> Range<Int> {
    let most = min(settings.spec.timeWidth, Int(settings.spec.timeFraction * Double(frames)))
    return mask(at: Place.timeMask + 2 * index, most: most, of: frames)
  }

  /// 0 ... `most` of `count`, wherever they fit.
  private func mask(at place: Int, most: Int, of count: Int) -> Range<Int> {
    let width = stream.integer(below: most + 1, at: place)
    let start = stream.integer(below: count - width + 1, at: place + 1)
    return start..<start + width
  }

  /// Who, of `count` samples of the slice, sample `sample` is mixed with: any other.
  package func partner(of sample: Int, among count: Int) -> Int {
    (sample + 1 + stream.integer(below: count - 1, at: Place.partner)) % count
  }

  /// What the sample's part of the mixture is read from: 0 ..< 1.
  package var mixup: Float { stream.uniform(at: Place.mixup) }
}
