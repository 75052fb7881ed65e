import Foundation
import TestSupport
import Testing
import Training

/// Whatever is drawn, it is drawn by seed, step, shard and sample: who computes, and when, changes nothing.
@Suite("Training with everything drawn") struct AugmentedTrainingTests {
  typealias Group = SmallTraining.Group

  /// Everything that can be done to features.
  static func settings(_ noise: SmallNoise) -> [String: String] {
    [
      "augment.spec.probability": "0.8", "augment.spec.frequency_masks": "2",
      "augment.spec.frequency_width": "5", "augment.spec.time_masks": "1", "augment.spec.time_width": "4",
      "augment.warp": "2", "augment.gain_db": "[-6, 6]", "augment.noise.corpus": noise.path,
      "augment.noise.probability": "0.2", "augment.music.probability": "0.2",
      "augment.babble.probability": "0.2", "augment.babble.voices": "[2, 3]", "augment.mixup": "0.3",
      "augment.speed.factors": "[0.9, 1, 1.1]", "train.segment_length": "[12, 20]",
      "data.utterances_per_speaker": "2", "data.holdout_speakers": "1",
    ]
  }

  private func training(_ recipe: String, _ corpus: SmallCorpus, _ noise: SmallNoise) -> SmallTraining {
    var training = SmallTraining(recipe, data: corpus.path)
    training.settings.merge(Self.settings(noise)) { $1 }
    return training
  }

  @Test(
    "the same bits on any number of ranks and threads",
    arguments: ["transformer", "conv_transformer", "margin"])
  func ranks(recipe: String) throws {
    let corpus = try SmallCorpus(), noise = try SmallNoise()
    let training = training(recipe, corpus, noise)
    let alone = try training(.solo)
    #expect(alone.losses.last.isFinite && alone.losses.last < alone.losses.first)
    for (group, threads) in [(.solo, 3), (.threads(ranks: 2), 1), (.threads(ranks: 4), 2)] as [(Group, Int)] {
      #expect(
        try training(group, threads: threads).differences(from: alone) == [], "\(group), \(threads) threads")
    }
    var packed = training
    packed = SmallTraining(recipe, data: try corpus.pack(files: 8))
    packed.settings = training.settings
    #expect(try packed(.threads(ranks: 2)).differences(from: alone) == [])
  }

  @Test("the same bits across a resume by others") func resume() throws {
    let corpus = try SmallCorpus(), noise = try SmallNoise()
    let training = training("transformer", corpus, noise)
    let undisturbed = try training(.solo)
    for (first, second) in [(.solo, .threads(ranks: 4)), (.threads(ranks: 2), .solo)] as [(Group, Group)] {
      let folder = TemporaryFolder()
      let run = "\(folder.path)/run"
      _ = try training.run(in: run, first, threads: 1)
      try ResumeTests.fallBack(run, to: 20)
      let resumed = try training.run(in: run, second, threads: 1, resume: true)
      #expect(resumed.differences(from: undisturbed) == [], "\(first), then \(second)")
    }
  }

  @Test("each of them changes the bits, alone") func control() throws {
    let corpus = try SmallCorpus(), noise = try SmallNoise()
    let plain = SmallTraining("transformer", data: corpus.path)
    let alone = try plain(.solo)
    let all = Self.settings(noise)
    let ones: [[String]] = [
      ["augment.spec.frequency_masks"], ["augment.spec.time_masks"], ["augment.warp"], ["augment.gain_db"],
      ["augment.noise.corpus", "augment.noise.probability"],
      ["augment.noise.corpus", "augment.music.probability"],
      ["augment.noise.corpus", "augment.babble.probability"], ["augment.mixup"], ["augment.speed.factors"],
      ["train.segment_length"], ["data.utterances_per_speaker"], ["data.holdout_speakers"],
      ["features.mean_norm"],
    ]
    for keys in ones {
      var other = plain
      for key in keys { other.settings[key] = all[key] ?? "utterance" }
      let differences = try other(.solo).differences(from: alone)
      #expect(differences.contains { $0.hasPrefix("weight ") }, "\(keys)")
    }
    // What is off is as if it were not there.
    var off = plain
    off.settings["augment.spec.frequency_width"] = "3"
    off.settings["augment.speed.new_speakers"] = "false"
    off.settings["augment.noise.corpus"] = noise.path
    off.settings["augment.noise.snr_db"] = "[3, 4]"
    #expect(try off(.solo).differences(from: alone) == [])
  }

  @Test("a resumed run keeps its augmentation") func fixed() throws {
    let corpus = try SmallCorpus(), noise = try SmallNoise()
    var training = training("transformer", corpus, noise)
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    _ = try training.run(in: run, .solo, threads: 1)
    training.settings["augment.warp"] = "3"
    let failure = failure { _ = try training.run(in: run, .solo, threads: 1, resume: true) }
    #expect(
      failure?.message.hasPrefix("augment.warp: the run was started with 2 and cannot be resumed with 3")
        == true)
  }

  @Test("what features cannot give is refused before anything is written") func refused() throws {
    let corpus = try SmallCorpus(), noise = try SmallNoise(), folder = TemporaryFolder()
    for (settings, message) in [
      (
        ["augment.reverb.rooms": "rooms", "augment.reverb.probability": "0.3"],
        "augment.reverb.probability: can be done to sound alone, and \(corpus.path) holds features;"
          + " --set augment.reverb.probability=0, or give the sound itself as --data"
      ),
      (
        [
          "augment.music.corpus": corpus.path, "augment.music.probability": "0.5",
          "features.kind": "wespeaker80",
        ],
        "features.kind: \(corpus.path) has 40 bands, and the features that are to be augmented 80;"
          + " set features.kind (and features.bands) to what the data was made with"
      ),
      (
        ["augment.noise.corpus": "no/such", "augment.noise.probability": "0.3"],
        "no/such: no such folder, and no such list"
      ),
    ] {
      var training = training("transformer", corpus, noise)
      training.settings.merge(settings) { $1 }
      training.settings["augment.spec.frequency_masks"] = "1"
      let failure = failure { _ = try training.run(in: folder("run"), .solo, threads: 1) }
      #expect(failure?.message == message)
      #expect(!FileManager.default.fileExists(atPath: folder("run")))
    }
  }
}
