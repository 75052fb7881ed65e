import Diagnostics
import TensorFiles

extension FeatureRecipe {
  /// The settings that make these features, so that a network hears other sound as it heard what it was trained on. What
  /// is no part of a recipe (limits of length, mean normalization) is as by default.
  ///
  /// - Parameter name: where the recipe is from.
  /// - Throws: `.badData`, naming the key, for a recipe that this version of the program does not make.
  public func settings(from name: String) throws(Failure) -> (audio: AudioSettings, features: FeatureSettings)
  {
    var audio = AudioSettings()
    var features = FeatureSettings()
    audio.rate = try value("rate", name) { $0.int.flatMap { AudioSettings.rates.contains($0) ? $0 : nil } }
    audio.bandwidth = try optional("bandwidth", name) {
      $0.int.flatMap { AudioSettings.rates.contains($0) ? $0 : nil }
    }
    audio.channel = try value("channel", name) { channel in
      if let number = channel.int { return (0..<1_024).contains(number) ? .number(number) : nil }
      return channel.string == "mean" ? .mean : nil
    }
    audio.peakDecibels = try optional("peak_db", name) { Self.number($0, in: -1_000...0) }
    audio.trim = try value("trim", name) { $0.string.flatMap(AudioSettings.Trim.init) }
    features.kind = try value("kind", name) { $0.string.flatMap(FeatureSettings.Kind.init) }
    features.bands = try value("bands", name) {
      $0.int.flatMap { (1...FeatureSettings.mostBands).contains($0) ? $0 : nil }
    }
    let hertz = 0...Double(audio.rate)
    features.lowHertz = try value("low_hz", name) { Self.number($0, in: hertz) }
    features.highHertz = try value("high_hz", name) { Self.number($0, in: hertz) }
    features.windowMilliseconds = try value("window_ms", name) { Self.number($0, in: 0...1_000) }
    features.hopMilliseconds = try value("hop_ms", name) { Self.number($0, in: 0...1_000) }
    features.window = try value("window", name) { $0.string.flatMap(FeatureSettings.Window.init) }
    features.preemphasis = try value("preemphasis", name) { Self.number($0, in: 0...1) }
    features.dither = try value("dither", name) { Self.number($0, in: 0...1e6) }
    features.topDecibels = try optional("top_db", name) { Self.number($0, in: 0...1e6) }
    // What is not among the settings: the version, the resampler, and keys that are not known here.
    if let (key, theirs, mine) = difference(to: FeatureRecipe(audio, features)) {
      throw Failure(
        .badData,
        "\(name): its features were made with \(key.quoted) \(theirs.quoted), where this version of the program makes"
          + " \(mine.quoted)")
    }
    return (audio, features)
  }

  private func value<Value>(
    _ key: String, _ name: String, _ read: (JSON) -> Value?
  ) throws(Failure) -> Value {
    guard let value = json[key].flatMap(read) else {
      throw Failure(
        .badData,
        "\(name): what its features were made with has \(key) \((json[key]?.serialized() ?? "not told").quoted), which"
          + " this version of the program does not make")
    }
    return value
  }

  private func optional<Value>(
    _ key: String, _ name: String, _ read: (JSON) -> Value?
  ) throws(Failure) -> Value? {
    guard let value = json[key], value != .null else { return nil }
    return try self.value(key, name, read)
  }

  private static func number(_ value: JSON, in range: ClosedRange<Double>) -> Double? {
    value.double.flatMap { range.contains($0) ? $0 : nil }
  }
}
