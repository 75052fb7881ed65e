import Collectives
import DataParallel
import Diagnostics
import SpeechData

/// What an augmentation lays under speech, or does to it as sound.
package struct AugmentationData: Sendable {
  /// What is read of packed corpora, by kind.
  private var recordings = Augmenter.Recordings()
  /// The sound that is trained on, where it is augmented as sound.
  private var sound: SoundCrops.Material?
  /// Each once.
  private var corpora: [Corpus] = []

  /// Opens what a configuration asks for, for features like those of `data`. Collective.
  ///
  /// Sound is augmented as sound where that is asked for: by what features alone cannot give, or by noise that is sound.
  /// Under features, noise that is sound is packed first, into the cache.
  ///
  /// - Parameters:
  ///   - sound: what `data` was packed of; `nil` where that is not known.
  ///   - packs: whether packs are made that are not there; otherwise what is missing is not opened.
  /// - Throws: `usage` for what cannot be done to features, or where they are not what the configuration says; bad data
  ///   for a corpus of other features or without recordings of the kind; what `Corpus.open` throws.
  package init<C: Communicator>(
    _ configuration: Configuration, for data: TrainingData, sound: SoundCache? = nil, packs: Bool = true,
    _ communicator: C,
    console: Console
  ) throws {
    let settings = configuration.augment
    guard settings.isOn else { return }
    let isNoiseSound = try communicator.agreeing {
      try settings.folders.contains { try ![.homework, .packed].contains(Layout.recognised(at: $0)) }
    }
    if let sound, settings.needsSound || isNoiseSound {
      self.sound = try communicator.agreeing { try sound.material(settings, packed: data.corpus) }
      return
    }
    var places: [String: String] = [:]
    for folder in settings.folders {
      let cache = try SoundCache(noise: folder, configuration, communicator)
      if !packs, let cache, try !cache.isThere(communicator) { return }
      places[folder] = try cache?.provide(communicator, console: console) ?? folder
    }
    try communicator.agreeing { try open(configuration, data, places) }
    for corpus in corpora { try communicator.checkSameData(corpus.fingerprint, corpus.directory) }
  }

  private mutating func open(
    _ configuration: Configuration, _ data: TrainingData, _ packs: [String: String]
  ) throws {
    let settings = configuration.augment, corpus = data.corpus
    if let key = Self.keyThatNeedsSound(settings) {
      throw Failure(
        .usage,
        "\(key): can be done to sound alone, and \(corpus.directory) holds features; --set \(key)=0, or give the sound"
          + " itself as --data"
      )
    }
    guard data.scale.bands == corpus.bands else {
      throw Failure(
        .usage,
        "features.kind: \(corpus.directory) has \(corpus.bands) bands, and the features that are to be augmented"
          + " \(data.scale.bands); set features.kind (and features.bands) to what the data was made with")
    }
    if settings.noise.probability > 0 {
      recordings.noise = try recordings(.noise, "noise", settings.noise, configuration, corpus, packs)
    }
    if settings.music.probability > 0 {
      recordings.music = try recordings(.music, "music", settings.music, configuration, corpus, packs)
    }
    if settings.babble.probability > 0 {
      recordings.speech = try recordings(.speech, "babble", settings.babble, configuration, corpus, packs)
    }
  }

  private mutating func recordings(
    _ kind: NoiseRecordings.Kind, _ name: String, _ part: AugmentationSettings.Interference,
    _ configuration: Configuration, _ data: Corpus, _ packs: [String: String]
  ) throws -> NoiseRecordings {
    let key = "augment.\(part.corpus == nil ? "noise" : name).corpus"
    // That there is one, the configuration has checked.
    let named = part.corpus ?? configuration.augment.noise.corpus ?? ""
    let folder = packs[named] ?? named
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

  /// The slices of local shards, ready to be drawn from.
  package func slices(
    of localShards: Range<Int>, _ data: TrainingData, _ configuration: Configuration
  ) throws -> TrainingSlices {
    try TrainingSlices(data, localShards: localShards, configuration, recordings, sound)
  }

  /// The same, made beside the steps where that takes long.
  ///
  /// - Parameter threads: of the step, of `processors` that this process may use.
  package func source(
    of localShards: Range<Int>, _ data: TrainingData, _ configuration: Configuration, threads: Int,
    processors: Int
  ) throws -> any SliceSource {
    let slices = try slices(of: localShards, data, configuration)
    guard sound != nil else { return slices }
    let shape = configuration.batchShape
    return PrefetchedSlices(
      slices, shards: localShards, values: shape.samplesPerShard * shape.frames * data.corpus.bands,
      samples: shape.samplesPerShard, threads: processors - threads)
  }
}
