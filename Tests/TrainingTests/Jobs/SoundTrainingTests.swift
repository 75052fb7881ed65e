import Foundation
import TestSupport
import Testing
import Training

/// Sound is decoded and augmented beside the steps; who does it, and when, changes nothing.
@Suite("Training on sound") struct SoundTrainingTests {
  let folder = TemporaryFolder.inMemory()
  /// The user's cache is none of a test's business.
  private static let cache: Void = {
    setenv("XDG_CACHE_HOME", TemporaryFolder.shared().path, 1)
  }()

  init() { Self.cache }

  private func training(_ settings: [String: String] = [:]) throws -> SmallTraining {
    let data = try folder.writeSound(speakers: 4, recordings: 8)
    var training = SmallTraining("transformer", data: data)
    training.settings.merge(settings) { $1 }
    return training
  }

  /// Everything that can be done to sound, and to features after it.
  private func everything() throws -> [String: String] {
    var random = SeededGenerator(seed: 5)
    for name in ["noise/free-sound/n.wav", "music/fma/m.wav", "speech/librivox/s.wav", "speech/us-gov/t.wav"]
    {
      let samples = (0..<24_000).map { _ in Float.random(in: -0.3..<0.3, using: &random) }
      try folder.write(waveFile(samples), to: "musan/\(name)")
    }
    for room in 1...2 {
      let response = (0..<2_000).map { n in
        n == 7 ? 1 : Float.random(in: -0.2..<0.2, using: &random) * exp(-Float(n) / 300)
      }
      try folder.write(
        waveFile(response), to: "rirs/simulated_rirs/smallroom/Room001/Room001-0000\(room).wav")
    }
    return [
      "augment.noise.corpus": folder("musan"), "augment.noise.probability": "0.15",
      "augment.music.probability": "0.15",
      "augment.babble.probability": "0.15", "augment.reverb.rooms": folder("rirs"),
      "augment.reverb.probability": "0.2", "augment.drop_frequency.probability": "0.1",
      "augment.drop_chunk.probability": "0.1", "augment.speed.factors": "[0.9, 1, 1.1]",
      "augment.spec.frequency_masks": "1", "augment.gain_db": "[-6, 6]", "augment.mixup": "0.3",
      "train.segment_length": "[12, 20]", "features.mean_norm": "utterance",
    ]
  }

  @Test("the same bits on any number of ranks and threads, and across a resume, with everything drawn")
  func ranks() throws {
    let training = try training(everything())
    let alone = try training(.solo)
    #expect(alone.losses.last.isFinite)
    for (group, threads) in [(.solo, 3), (.threads(ranks: 2), 1), (.threads(ranks: 4), 1)]
      as [(SmallTraining.Group, Int)]
    {
      #expect(
        try training(group, threads: threads).differences(from: alone) == [], "\(group), \(threads) threads")
    }
    let run = folder("run")
    _ = try training.run(in: run, .threads(ranks: 2), threads: 1)
    try ResumeTests.fallBack(run, to: 20)
    #expect(try training.run(in: run, .solo, threads: 2, resume: true).differences(from: alone) == [])
  }

  @Test("sound to which nothing happens trains as its features do")
  func features() throws {
    let plain = try training()
    // A room that is a click leaves everything as it is, but makes sound be decoded.
    try folder.write(waveFile([1] + [Float](repeating: 0, count: 99)), to: "click/click.wav")
    var clicked = plain
    clicked.settings["augment.reverb.rooms"] = folder("click")
    clicked.settings["augment.reverb.probability"] = "1e-9"
    #expect(try clicked(.threads(ranks: 2)).differences(from: plain(.solo)) == [])
  }

  @Test("each of them changes the bits, alone")
  func control() throws {
    let plain = try training()
    let alone = try plain(.solo)
    let all = try everything()
    for keys in [
      ["augment.noise.corpus", "augment.noise.probability"],
      ["augment.noise.corpus", "augment.music.probability"],
      ["augment.noise.corpus", "augment.babble.probability"],
      ["augment.reverb.rooms", "augment.reverb.probability"], ["augment.drop_frequency.probability"],
      ["augment.drop_chunk.probability"],
    ] {
      var other = plain
      for key in keys { other.settings[key] = all[key] }
      #expect(
        try other(.solo).differences(from: alone).contains { $0.hasPrefix("weight ") }, "\(keys)")
    }
  }

  @Test("noise that is sound is packed for features that are augmented")
  func packedNoise() throws {
    let corpus = try SmallCorpus()
    var training = SmallTraining("transformer", data: corpus.path)
    let plain = try training(.solo)
    let all = try everything()
    for key in ["augment.noise.corpus", "augment.noise.probability"] { training.settings[key] = all[key] }
    let noisy = try training(.solo)
    #expect(noisy.differences(from: plain).contains { $0.hasPrefix("weight ") })
    #expect(try training(.threads(ranks: 2)).differences(from: noisy) == [])
  }
}
