import Audio
import Foundation
import SpeechData
import TensorCore
import TestSupport
import Testing

@Suite("Augmentation of features") struct AugmenterTests {
  @Test("noise is mixed as lhotse mixes it", arguments: [0, 10]) func lhotse(decibels: Int) throws {
    let recordings = try RecordingFolder([("noise", [try augmentationFixture("noise")])])
    let settings = AugmentationSettings.only {
      $0.noise.probability = 1
      $0.noise.decibels = .init(Double(decibels), Double(decibels))
    }
    var sources = Augmenter.Recordings()
    sources.noise = try NoiseRecordings(.noise, of: recordings.corpus, key: "augment.noise.corpus")
    let crop = Frames(try augmentationFixture("speech"))
    let augmenter = Augmenter(settings, scale: FeatureScale(), recordings: sources, frames: crop.matrix.rows)
    try augmenter.distort(crop.matrix, settings.draws())
    let expected = try augmentationFixture("lhotse.\(decibels)")
    #expect(maximumDifference(crop.values, expected) < 2e-5)
  }

  @Test("decibels and their floor give the mix that natural logarithms give") func decibels() throws {
    let (speech, noise) = (try augmentationFixture("speech"), try augmentationFixture("noise"))
    let units = Float(10 / log(10.0))
    func mixed(_ factor: Float, _ scale: FeatureScale) throws -> [Float] {
      let recordings = try RecordingFolder([("noise", [noise.map { $0 * factor }])])
      let settings = AugmentationSettings.only {
        $0.noise.probability = 1
        $0.gain = .init(-3, -3)
      }
      var sources = Augmenter.Recordings()
      sources.noise = try NoiseRecordings(.noise, of: recordings.corpus, key: "")
      let crop = Frames(speech.map { $0 * factor })
      try Augmenter(settings, scale: scale, recordings: sources, frames: crop.matrix.rows)
        .distort(crop.matrix, settings.draws())
      return crop.values.map { $0 / factor }
    }
    let natural = try mixed(1, FeatureScale(floor: log(1e-10)))
    let decibels = try mixed(units, FeatureScale(unitsPerNat: Double(units), floor: -100))
    #expect(maximumDifference(natural, decibels) < 5e-5)
    #expect(meanDifference(natural, speech) > 0.1)
  }

  @Test("babble is as many of the speakers as were drawn, each at a ratio of its own") func babble() throws {
    let voices = (0..<9).map { Frames(random: 40 + 7 * $0, $0).values }
    let recordings = try RecordingFolder([("music", [Frames(random: 50, 99).values]), ("speech", voices)])
    let settings = AugmentationSettings.only { $0.babble.probability = 1 }
    var sources = Augmenter.Recordings()
    sources.speech = try NoiseRecordings(.speech, of: recordings.corpus, key: "")
    let draws = settings.draws(5)
    let crop = Frames(random: 61, 50), before = crop.values
    try Augmenter(settings, scale: FeatureScale(), recordings: sources, frames: 61)
      .distort(crop.matrix, draws)

    let count = draws.recordings(.babble)
    #expect((3...7).contains(count))
    var expected = before.map { exp(Double($0)) }
    let energy = expected.reduce(0, +)
    for index in 0..<count {
      let voice = voices[draws.recording(index, of: 9)], frames = voice.count / 40
      let start = frames > 61 ? draws.start(ofRecording: index, of: frames - 60) : 0
      let piece = (0..<61 * 40).map { exp(Double(voice[(start * 40 + $0) % voice.count])) }
      let decibels = draws.decibels(ofRecording: index, settings.babble.decibels)
      #expect((13...20).contains(decibels))
      let gain = energy / piece.reduce(0, +) * pow(10, -decibels / 10)
      for (place, value) in piece.enumerated() { expected[place] += gain * value }
    }
    #expect(maximumDifference(crop.values, expected.map { Float(log($0)) }) < 1e-5)
  }

  @Test(
    "a recording's energy is at the drawn ratio below the crop's, whatever their levels",
    arguments: [-9, 0, 30])
  func ratio(level: Float) throws {
    let recordings = try RecordingFolder([("noise", [Frames(random: 300, 1).values.map { $0 + level }])])
    let settings = AugmentationSettings.only {
      $0.noise.probability = 1
      $0.noise.decibels = .init(7, 7)
    }
    var sources = Augmenter.Recordings()
    sources.noise = try NoiseRecordings(.noise, of: recordings.corpus, key: "")
    let crop = Frames(random: 100, 2), before = crop.energy
    try Augmenter(settings, scale: FeatureScale(), recordings: sources, frames: 100)
      .distort(crop.matrix, settings.draws())
    let added = crop.energy - before
    #expect(abs(10 * log10(before / added) - 7) < 1e-3)
  }

  @Test("time is warped as torch interpolates the two parts") func warp() throws {
    let settings = AugmentationSettings.only { $0.warp = 5 }
    let speech = try augmentationFixture("speech")
    let draws = try #require(
      (0..<100_000).lazy.map { settings.draws($0) }.first {
        $0.warp(frames: 121).map { $0 == (50, 46) } ?? false
      })
    let crop = Frames(speech)
    let augmenter = Augmenter(settings, scale: FeatureScale(), frames: 121)
    try augmenter.distort(crop.matrix, draws)
    let expected = try augmentationFixture("warp.50.46")
    #expect(maximumDifference(crop.values, expected) < 1e-4)
    // What is too short to be warped stays.
    let short = Frames(random: 10), before = short.values
    try augmenter.distort(short.matrix, draws)
    #expect(short.values == before)
  }

  @Test("a gain is 2 ln g everywhere, and nothing falls below the floor") func gain() throws {
    let settings = AugmentationSettings.only { $0.gain = .init(-60, -60) }
    let crop = Frames(random: 30), before = crop.values
    try Augmenter(settings, scale: FeatureScale(), frames: 30).distort(crop.matrix, settings.draws())
    let expected = before.map { max(Float(log(1e-9)), $0 - Float(6 * log(10.0))) }
    #expect(maximumDifference(crop.values, expected) < 1e-5)
  }

  @Test("the scale of features is read from what they were made with, or is that of the settings")
  func scales() throws {
    for kind in FeatureSettings.Kind.allCases {
      var settings = FeatureSettings()
      settings.kind = kind
      settings.lowHertz = 30
      settings.bands = 50
      let scale = FeatureScale(FrontEndParameters(settings, rate: 16_000))
      #expect(scale.bands == 50 && scale.low == 30 && scale.high == 8_000)
      #expect(FeatureScale(FeatureRecipe(AudioSettings(), settings)) == scale)
      #expect(
        abs(scale.floor + [20.723, 15.942, 100][FeatureSettings.Kind.allCases.firstIndex(of: kind)!]) < 1e-3)
    }
    #expect(FeatureScale(FrontEndParameters(.dvector40)) == FeatureScale())
    for text in [
      "{}", #"{"kind":"mine","bands":40,"low_hz":1,"high_hz":2}"#, #"{"kind":"dvector40","bands":-1}"#,
    ] {
      #expect(FeatureScale(try FeatureRecipe(text: text, from: "f")) == nil)
    }
  }

  @Test("nothing is changed where nothing is asked for") func nothing() throws {
    let settings = AugmentationSettings()
    let crop = Frames(random: 30), before = crop.values
    let augmenter = Augmenter(settings, scale: FeatureScale(), frames: 30)
    try augmenter.distort(crop.matrix, settings.draws())
    augmenter.mask(crop.matrix, settings.draws())
    #expect(crop.values == before)
    #expect(!settings.isOn && !settings.needsSound)
  }
}

@Suite("Speed in the mel domain") struct SpeedTests {
  private func settings(_ factor: Double) -> AugmentationSettings {
    .only { $0.speed.factors = [1, factor] }
  }

  @Test(
    "the features of faster and slower speech are nearer to the truth than those of the speech, and than time alone",
    arguments: [("fast", 1.1), ("slow", 0.9)]) func truth(name: String, factor: Double) throws
  {
    let speech = try augmentationFixture("speech"), truth = try augmentationFixture("speed.\(name)")
    let folder = try RecordingFolder([("a", [speech])])
    let settings = settings(factor)
    let augmenter = Augmenter(settings, scale: FeatureScale(), frames: 200)
    let crop = Frames([Float](repeating: 0, count: 200 * 40))
    let frames = try augmenter.copyCrop(
      of: 0, in: folder.corpus, speed: 1, start: Crop.training(seed: 1, step: 0, shard: 0, sample: 0),
      into: crop.matrix)
    let count = min(frames, truth.count / 40)
    #expect(abs(frames - truth.count / 40) <= 1)
    // Up to the band that has no source.
    let bands = 0..<37
    func compared(_ values: (_ t: Int, _ band: Int) -> Float) -> Float {
      let differences = (2..<count - 2).flatMap { t in bands.map { abs(values(t, $0) - truth[t * 40 + $0]) } }
      return differences.reduce(0, +) / Float(differences.count)
    }
    let ours = compared { crop.values[$0 * 40 + $1] }
    let timeAlone = compared { t, band in
      let place = Double(t) * factor, whole = min(Int(place), 119), weight = Float(place - Double(whole))
      return speech[whole * 40 + band] * (1 - weight) + speech[(whole + 1) * 40 + band] * weight
    }
    #expect(ours < 0.35)
    #expect(ours < 0.4 * timeAlone)
  }

  @Test("above the highest band of slower speech there is nothing") func floor() throws {
    let folder = try RecordingFolder([("a", [Frames(random: 60).values])])
    let augmenter = Augmenter(settings(0.8), scale: FeatureScale(), frames: 50)
    let crop = Frames([Float](repeating: 0, count: 50 * 40))
    _ = try augmenter.copyCrop(
      of: 0, in: folder.corpus, speed: 1, start: Crop.training(seed: 1, step: 0, shard: 0, sample: 0),
      into: crop.matrix)
    #expect((0..<50).allSatisfy { crop.row($0)[39] == Float(log(1e-9)) && crop.row($0)[30] > -15 })
  }

  @Test("every crop lies inside its utterance, and a longer one is padded") func bounds() throws {
    let lengths = [1, 2, 3, 9, 10, 11, 12, 30]
    let folder = try RecordingFolder([("a", lengths.map { Frames(random: $0, $0).values })])
    for factor in [0.5, 0.8, 0.9, 1.1, 1.25, 2] {
      let augmenter = Augmenter(settings(factor), scale: FeatureScale(), frames: 10)
      for (utterance, length) in lengths.enumerated() {
        for sample in 0..<40 {
          let crop = Frames([Float](repeating: .nan, count: 400))
          let frames = try augmenter.copyCrop(
            of: utterance, in: folder.corpus, speed: 1,
            start: Crop.training(seed: 1, step: 0, shard: 0, sample: sample), into: crop.matrix)
          #expect(frames == min(10, Int(Double(length - 1) / factor) + 1))
          #expect(crop.values[..<(frames * 40)].allSatisfy { $0.isFinite })
          #expect(crop.values[(frames * 40)...].allSatisfy { $0.isNaN })
        }
      }
    }
  }

  @Test("the speed that everything has copies frames bit for bit") func identity() throws {
    let frames = Frames(random: 60).values
    let folder = try RecordingFolder([("a", [frames])])
    let augmenter = Augmenter(settings(1.1), scale: FeatureScale(), frames: 50)
    let crop = Frames([Float](repeating: 0, count: 50 * 40))
    let stream = Crop.training(seed: 1, step: 0, shard: 0, sample: 0)
    let count = try augmenter.copyCrop(of: 0, in: folder.corpus, speed: 0, start: stream, into: crop.matrix)
    #expect(count == 50)
    let start = Crop.start(frames: 60, length: 50, stream)
    #expect(crop.values == Array(frames[start * 40..<(start + 50) * 40]))
  }
}
