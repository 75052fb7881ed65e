import Collectives
import Diagnostics
import SpeechData

extension Configuration {
  /// The same with packs in the cache in the place of folders of sound that are laid under speech: features of them, as
  /// the configuration makes them. They are made where they are not there yet. Collective.
  ///
  /// - Parameter only: whether none is made; `nil` is returned where one is missing.
  package func packingNoise<C: Communicator>(
    _ communicator: C, console: Console, onlyIfThere only: Bool = false
  ) throws -> Configuration? {
    var packed = self, sound = self
    // How the data is laid out says nothing of the noise.
    sound.data.layout = nil
    var places: [String: String] = [:]
    let parts: [WritableKeyPath<Configuration, AugmentationSettings.Interference>] = [
      \.augment.noise, \.augment.music, \.augment.babble,
    ]
    guard augment.noise.probability + augment.music.probability + augment.babble.probability > 0 else {
      return self
    }
    for part in parts {
      guard let folder = self[keyPath: part].corpus else { continue }
      if places[folder] == nil {
        let cache = try SoundCache(folder, sound, communicator)
        if only, let cache, try !cache.isThere(communicator) { return nil }
        places[folder] = try cache?.provide(communicator, console: console) ?? folder
      }
      packed[keyPath: part].corpus = places[folder]
    }
    return packed
  }
}

/// The corpora that an augmentation lays under speech.
package struct AugmentationData: Sendable {
  /// What is read of them, by kind.
  package private(set) var recordings = Augmenter.Recordings()
  /// Each once.
  private var corpora: [Corpus] = []

  /// Nothing.
  package init() {}

  /// Opens the corpora that a configuration asks for, for features like those of `data`.
  ///
  /// - Throws: `usage` for what cannot be done to features, or where they are not what the configuration says; bad data
  ///   for a corpus of other features or without recordings of the kind; what `Corpus.open` throws.
  package init(_ configuration: Configuration, for data: TrainingData) throws {
    let settings = configuration.augment, corpus = data.corpus
    guard settings.isOn else { return }
    if let key = Self.keyThatNeedsSound(settings) {
      throw Failure(
        .usage,
        "\(key): can be done to sound alone, and \(corpus.directory) holds features; --set \(key)=0, or train on sound"
      )
    }
    guard data.scale.bands == corpus.bands else {
      throw Failure(
        .usage,
        "features.kind: \(corpus.directory) has \(corpus.bands) bands, and the features that are to be augmented"
          + " \(data.scale.bands); set features.kind (and features.bands) to what the data was made with")
    }
    if settings.noise.probability > 0 {
      recordings.noise = try recordings(.noise, "noise", settings.noise, configuration, corpus)
    }
    if settings.music.probability > 0 {
      recordings.music = try recordings(.music, "music", settings.music, configuration, corpus)
    }
    if settings.babble.probability > 0 {
      recordings.speech = try recordings(.speech, "babble", settings.babble, configuration, corpus)
    }
  }

  private mutating func recordings(
    _ kind: NoiseRecordings.Kind, _ name: String, _ part: AugmentationSettings.Interference,
    _ configuration: Configuration, _ data: Corpus
  ) throws -> NoiseRecordings {
    let key = "augment.\(part.corpus == nil ? "noise" : name).corpus"
    // That there is one, the configuration has checked.
    let folder = part.corpus ?? configuration.augment.noise.corpus ?? ""
    let corpus = try corpora.first { $0.directory == folder } ?? Corpus.open(folder)
    if !corpora.contains(where: { $0 === corpus }) { corpora.append(corpus) }
    guard corpus.bands == data.bands else {
      throw Failure(
        .badData, "\(key): \(folder) has \(corpus.bands) bands, and \(data.directory) has \(data.bands)")
    }
    if let made = corpus.recipe, let wanted = data.recipe, let other = wanted.difference(to: made) {
      throw Failure(
        .badData,
        "\(key): \(folder) was made with \(other.key) \(other.others), and \(data.directory) with \(other.mine);"
          + " pack it again like the data")
    }
    return try NoiseRecordings(kind, of: corpus, key: key)
  }

  private static func keyThatNeedsSound(_ settings: AugmentationSettings) -> String? {
    if settings.reverb.probability > 0 { return "augment.reverb.probability" }
    if settings.dropFrequency.probability > 0 { return "augment.drop_frequency.probability" }
    return settings.dropChunk.probability > 0 ? "augment.drop_chunk.probability" : nil
  }

  /// Verifies every recording that may be drawn, so that they can be read: any step of any shard may take any of them.
  package func prepare(threads: Int, console: Console) throws {
    let all = [recordings.noise, recordings.music, recordings.speech].compactMap(\.self)
    for recordings in all {
      try console.progress("Load noise", unit: "uttr", total: recordings.utterances.count) { bar in
        try recordings.prepare(threads: threads) { done, _ in bar.reach(done) }
      }
    }
  }

  /// Checks that every rank has opened the same corpora. Collective.
  package func check<C: Communicator>(_ communicator: C) throws {
    for corpus in corpora { try communicator.checkSameData(corpus.fingerprint, corpus.directory) }
  }
}
