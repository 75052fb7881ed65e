import Diagnostics
import SpeechData

/// Which of the data is trained on, and in what order: the `data:` part of a configuration file.
public struct DataConfiguration: Equatable, Sendable {
  /// How the folder says whose recordings there are; `nil` to recognise it.
  public var layout: Layout?
  /// Speakers that are left out of training and validation, for trials on speakers that the network never heard.
  public var holdoutSpeakers = 0
  /// Utterances of each speaker that follow each other in a shard's slice of the batch, every speaker as often as any
  /// other; `nil` to take every utterance once before any is taken again.
  public var utterancesPerSpeaker: Int?

  /// All of it, in epochs.
  public init() {}
}

extension Configuration {
  /// What contradicts the shape of the batch in how it is sampled.
  var samplingInconsistency: (key: String, message: String)? {
    let slice = train.batchSize / train.shards
    if let count = data.utterancesPerSpeaker, !slice.isMultiple(of: count) {
      let choices = (1...slice).filter { slice.isMultiple(of: $0) }
      return (
        "data.utterances_per_speaker",
        "\(count) does not divide the \(slice) segments of a shard (train.batch_size \(train.batchSize) /"
          + " train.shards \(train.shards)); \(listed(choices.map(String.init), "or")) would"
      )
    }
    if augment.mixup > 0 && slice < 2 {
      return (
        "augment.mixup",
        "a shard has one segment, and nothing to mix it with; take a train.shards below train.batch_size"
          + " \(train.batchSize)"
      )
    }
    return nil
  }

  /// What contradicts itself in the augmentation.
  var augmentationInconsistency: (key: String, message: String)? {
    let chances = augment.chancesInAll
    if chances > 1 + 1e-9 {
      let key = augment.noise.probability > 0 ? "augment.noise.probability" : "augment.reverb.probability"
      return (
        key,
        "noise, music, babble, reverb, drop_frequency and drop_chunk happen to a segment one at a time, and their"
          + " probabilities add up to \(YAMLScalar.text(of: chances)); they may add up to 1"
      )
    }
    for (name, part) in [("noise", augment.noise), ("music", augment.music), ("babble", augment.babble)]
    where part.probability > 0 && part.corpus == nil && augment.noise.corpus == nil {
      let own = name == "noise" ? "" : "augment.\(name).corpus or "
      return (
        "augment.\(name).probability", "needs recordings: set \(own)augment.noise.corpus to their folder"
      )
    }
    if augment.reverb.probability > 0 && augment.reverb.rooms == nil {
      return (
        "augment.reverb.probability", "needs rooms: set augment.reverb.rooms to the folder of RIRS_NOISES"
      )
    }
    if augment.speed.isOn && augment.speed.makesNewSpeakers && !augment.speed.factors.contains(1) {
      return (
        "augment.speed.factors",
        "other speeds are other speakers (augment.speed.new_speakers), and 1 is not among them: nobody would be who"
          + " he is"
      )
    }
    return nil
  }
}
