import Audio
import Diagnostics

extension TrainedModel {
  /// What makes features of sound as those that the weights were trained on.
  ///
  /// A recording is taken as it is, however short or long. Where the weights do not tell what they were trained on, the
  /// configuration does.
  ///
  /// - Parameters:
  ///   - overrides: what the configuration was told on the command line.
  ///   - warn: gets a line where the weights do not tell.
  /// - Throws: `usage` for an override that contradicts the weights, or a configuration of other features than the
  ///   network takes; `badData` for a recipe that this program does not make.
  func extractor(_ overrides: [String], warn: (String) -> Void) throws -> FeatureExtractor {
    let heard = try configurationForSound(overrides, warn: warn)
    var audio = heard.audio
    guard heard.features.bandCount == model.bands else {
      throw Failure(
        .usage,
        "features.bands: \(heard.features.kind) makes \(heard.features.bandCount) bands of sound, where \(file) takes"
          + " \(model.bands)")
    }
    audio.minSeconds = 0
    audio.maxSeconds = nil
    return try FeatureExtractor(audio, heard.features)
  }

  /// The configuration, by whose `audio:` and `features:` sound becomes what the weights were trained on.
  ///
  /// - Throws: as ``extractor(_:warn:)``, but for the bands.
  func configurationForSound(_ overrides: [String], warn: (String) -> Void) throws -> Configuration {
    guard let recipe = origin.recipe else {
      warn(
        "\(file) does not say what its features were made with: they are made as the keys of audio and features are"
          + " set (--set)")
      return configuration
    }
    let key = overrides.lazy.compactMap { $0.split(separator: "=").first.map(String.init) }
      .first(where: Self.decidesFeatures)
    if let key {
      throw Failure(
        .usage,
        "--set \(key): features are made as those that \(file) was trained on, which it tells itself; leave the key out"
      )
    }
    var heard = configuration
    (heard.audio, heard.features) = try recipe.settings(from: file)
    // What is no part of a recipe.
    heard.audio.truncated = configuration.audio.truncated
    heard.audio.minSeconds = configuration.audio.minSeconds
    heard.audio.maxSeconds = configuration.audio.maxSeconds
    heard.features.meanNormalization = configuration.features.meanNormalization
    return heard
  }

  /// Whether a key is one that a recipe holds.
  private static func decidesFeatures(_ key: String) -> Bool {
    let free = ["features.mean_norm", "audio.truncated", "audio.min_seconds", "audio.max_seconds"]
    return (key.hasPrefix("audio.") || key.hasPrefix("features.")) && !free.contains(key)
  }

  /// The speakers' names by label; their labels where the weights do not tell.
  func speakerNames(warn: (String) -> Void) -> [String] {
    if let speakers = origin.speakers { return speakers }
    warn("\(file) does not say what its speakers are called: they are told by their labels, counted from 0")
    return (0..<model.speakers).map(String.init)
  }
}
