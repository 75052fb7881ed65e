import Audio

extension ConfigurationKey {
  /// The `audio:` part.
  static let audio: [ConfigurationKey] = [
    integer(
      "audio.rate", \.audio.rate, in: AudioSettings.rates,
      "samples a second of what features are made of; every recording is resampled to it"),
    integer(
      "audio.bandwidth", orNull: \.audio.bandwidth, in: AudioSettings.rates, "none",
      "samples a second that every recording passes through before, so that none has more bandwidth than another"
    ),
    ConfigurationKey(
      "audio.channel", "what becomes of several channels: their mean, or one of them",
      expected: "mean, or the number of a channel from 0", onResume: .fixed,
      read: { text, configuration in
        if text == "mean" {
          configuration.audio.channel = .mean
          return true
        }
        guard let number = Int(text), (0..<1_024).contains(number) else { return false }
        configuration.audio.channel = .number(number)
        return true
      },
      write: { configuration in
        switch configuration.audio.channel {
        case .mean: "mean"
        case .number(let number): String(number)
        }
      }),
    choice(
      "audio.truncated", \.audio.truncated,
      "what becomes of a file that ends before its header says so"),
    number(
      "audio.peak_db", orNull: \.audio.peakDecibels, "of at most 0", "leaving it as it is",
      where: { $0 <= 0 }, "to what level the loudest sample is brought, in dB below full scale"),
    choice(
      "audio.trim", \.audio.trim,
      "what is taken out: nothing, silence as SoX or frames without voice as Kaldi"),
    number(
      "audio.min_seconds", \.audio.minSeconds, "of at least 0", where: { $0 >= 0 },
      "recordings of which less is left are left out"),
    number(
      "audio.max_seconds", orNull: \.audio.maxSeconds, "above 0", "no limit", where: { $0 > 0 },
      "what is behind this is cut off"),
  ]

  /// The `features:` part.
  static let features: [ConfigurationKey] = [
    choice("features.kind", \.features.kind, "whose front end; it says the values of the keys that are null"),
    integer(
      "features.bands", orNull: \.features.bands, in: 1...FeatureSettings.mostBands, ofKind,
      "mel bands of a frame"),
    number(
      "features.low", orNull: \.features.lowHertz, "of at least 0", ofKind, where: { $0 >= 0 },
      "the left corner of the lowest filter in Hz"),
    number(
      "features.high", orNull: \.features.highHertz, "above 0", ofKind, where: { $0 > 0 },
      "the right corner of the highest filter in Hz"),
    number(
      "features.window_ms", orNull: \.features.windowMilliseconds, "above 0", ofKind, where: { $0 > 0 },
      "milliseconds under the window"),
    number(
      "features.hop_ms", orNull: \.features.hopMilliseconds, "above 0", ofKind, where: { $0 > 0 },
      "milliseconds from one frame to the next"),
    choice("features.window", orNull: \.features.window, ofKind, "what a frame is multiplied with"),
    number(
      "features.preemphasis", orNull: \.features.preemphasis, "of at least 0 and at most 1", ofKind,
      where: { (0...1).contains($0) }, "c of x[n] - c x[n-1]"),
    number(
      "features.dither", orNull: \.features.dither, "of at least 0", ofKind, where: { $0 >= 0 },
      "the standard deviation of the noise that is added to a frame, in int16's units"),
    number(
      "features.top_db", orNull: \.features.topDecibels, "above 0", ofKind, where: { $0 > 0 },
      "by how many dB the quietest value of an utterance lies below the loudest at most"),
    choice(
      "features.mean_norm", \.features.meanNormalization,
      "whether each band's mean over the frames that the network sees is taken off"),
  ]

  private static let ofKind = "that of features.kind"
}
