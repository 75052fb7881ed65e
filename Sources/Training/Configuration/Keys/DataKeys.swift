import Diagnostics
import SpeechData

extension ConfigurationKey {
  /// The `data:` part.
  static let data: [ConfigurationKey] = [
    ConfigurationKey(
      "data.layout", "how a folder says whose its recordings are",
      expected: "auto, \(listed(Layout.allCases.map(\.rawValue), "or"))", takesText: true, onResume: .fixed,
      read: { text, configuration in
        let layout = Layout(rawValue: text)
        guard layout != nil || text == "auto" else { return false }
        configuration.data.layout = layout
        return true
      },
      write: { $0.data.layout?.rawValue ?? "auto" }),
    integer(
      "data.holdout_speakers", \.data.holdoutSpeakers, in: 0...1_000_000,
      "so many speakers are neither trained on nor validated"),
    integer(
      "data.utterances_per_speaker", orNull: \.data.utterancesPerSpeaker, in: 1...65_536, "plain epochs",
      "utterances of each speaker in a row, all speakers alike; divides batch_size / shards"),
  ]

  /// The `augment:` part.
  static let augment: [ConfigurationKey] = [
    spec, level, noise, music, babble, reverb, speed, drops,
  ].flatMap { $0 }

  private static let none = "none"

  private static let spec: [ConfigurationKey] = [
    number(
      "augment.spec.probability", \.augment.spec.probability, probability, where: { (0...1).contains($0) },
      "of a segment's having masks"),
    integer("augment.spec.frequency_masks", \.augment.spec.bandMasks, in: 0...16, "masks over bands"),
    integer(
      "augment.spec.frequency_width", \.augment.spec.bandWidth, in: 0...1_024, "the most bands of each"),
    integer("augment.spec.time_masks", \.augment.spec.timeMasks, in: 0...16, "masks over frames"),
    integer("augment.spec.time_width", \.augment.spec.timeWidth, in: 0...65_536, "the most frames of each"),
    number(
      "augment.spec.time_fraction", \.augment.spec.timeFraction, probability, where: { (0...1).contains($0) },
      "the largest part of a segment that one mask over frames covers"),
  ]

  private static let level: [ConfigurationKey] = [
    integer(
      "augment.warp", \.augment.warp, in: 0...1_000,
      "the most frames by which time is warped about a random centre; 0 for none"),
    range("augment.gain_db", \.augment.gain, decibels, where: isDecibels, "the range of a gain in decibels"),
    number(
      "augment.mixup", \.augment.mixup, "of at least 0 and at most 100", where: { (0...100).contains($0) },
      "alpha of Beta(alpha, alpha), by which segments and their labels are mixed; 0 for none"),
  ]

  private static let noise: [ConfigurationKey] = [
    folder(
      "augment.noise.corpus", \.augment.noise.corpus, none,
      "what is laid under the speech: a corpus, packed or of sound, of any kind but music and speech"),
    chance("augment.noise.probability", \.augment.noise.probability, "noise"),
    range(
      "augment.noise.snr_db", \.augment.noise.decibels, decibels, where: isDecibels,
      "the range of the speech's level above the noise's in dB"),
  ]

  private static let music: [ConfigurationKey] = [
    folder(
      "augment.music.corpus", \.augment.music.corpus, "that of augment.noise",
      "a corpus whose speaker music is laid under the speech"),
    chance("augment.music.probability", \.augment.music.probability, "music"),
    range(
      "augment.music.snr_db", \.augment.music.decibels, decibels, where: isDecibels,
      "the range of the speech's level above the music's in dB"),
  ]

  private static let babble: [ConfigurationKey] = [
    folder(
      "augment.babble.corpus", \.augment.babble.corpus, "that of augment.noise",
      "a corpus whose speaker speech is laid under the speech"),
    chance("augment.babble.probability", \.augment.babble.probability, "babble"),
    range(
      "augment.babble.snr_db", \.augment.babble.decibels, decibels, where: isDecibels,
      "the range of the speech's level above that of each recording in dB"),
    range("augment.babble.voices", \.augment.babbleVoices, in: 1...16, "how many recordings a babble is"),
  ]

  private static let reverb: [ConfigurationKey] = [
    folder("augment.reverb.rooms", \.augment.reverb.rooms, none, "impulse responses, as RIRS_NOISES comes"),
    chance("augment.reverb.probability", \.augment.reverb.probability, "reverberation, which needs sound"),
    choice(
      "augment.reverb.alignment", \.augment.reverb.alignment,
      "whether the way to the microphone stays (WeSpeaker), or the direct sound stays where it was (Kaldi, SpeechBrain)"
    ),
  ]

  private static let speed: [ConfigurationKey] = [
    list(
      "augment.speed.factors", \.augment.speed.factors, most: 8, "from 0.5 to 2",
      where: { (0.5...2).contains($0) }, "speeds, each as likely as any other"),
    flag(
      "augment.speed.new_speakers", \.augment.speed.makesNewSpeakers,
      "whether a speaker at another speed is another speaker"),
  ]

  private static let drops: [ConfigurationKey] = [
    chance(
      "augment.drop_frequency.probability", \.augment.dropFrequency.probability, "notches, which need sound"),
    range("augment.drop_frequency.count", \.augment.dropFrequency.count, in: 1...64, "how many notches"),
    range(
      "augment.drop_frequency.width", \.augment.dropFrequency.size, "above 0 and at most 1",
      where: { $0 > 0 && $0 <= 1 }, "how wide each is, as a part of half the rate"),
    chance(
      "augment.drop_chunk.probability", \.augment.dropChunk.probability,
      "silenced stretches, which need sound"),
    range("augment.drop_chunk.count", \.augment.dropChunk.count, in: 1...64, "how many stretches"),
    range(
      "augment.drop_chunk.samples", \.augment.dropChunk.size, "of at least 1", where: { $0 >= 1 },
      "how long each is, in samples"),
  ]

  private static let decibels = "from -100 to 100"
  private static let isDecibels: @Sendable (Double) -> Bool = { abs($0) <= 100 }
  private static let probability = "of at least 0 and at most 1"

  /// The probability of what happens to a segment one at a time.
  private static func chance(_ name: String, _ path: Path<Double>, _ what: String) -> ConfigurationKey {
    number(
      name, path, probability, where: { (0...1).contains($0) }, "of a segment's getting \(what)")
  }
}
