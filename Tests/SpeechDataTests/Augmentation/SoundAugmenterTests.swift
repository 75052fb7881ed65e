import Audio
import Diagnostics
import Foundation
import SpeechData
import TensorCore
import TestSupport
import Testing

@Suite("Augmentation of sound")
struct SoundAugmenterTests {
  let folder = TemporaryFolder()
  let audio = AudioSettings()

  /// A WAV file of 16 bits and 16 kHz.
  private func write(_ samples: [Float], to name: String) throws {
    func bytes(_ value: Int, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let data = samples.flatMap { bytes(Int(($0 * 32_767).rounded()), 2) }
    let format = bytes(1, 2) + bytes(1, 2) + bytes(16_000, 4) + bytes(32_000, 4) + bytes(2, 2) + bytes(16, 2)
    let head = Array("RIFF".utf8) + bytes(36 + data.count, 4) + Array("WAVEfmt ".utf8) + bytes(16, 4) + format
    try folder.write(head + Array("data".utf8) + bytes(data.count, 4) + data, to: name)
  }

  /// A tone whose frequency says what it is.
  private func tone(_ hertz: Double, _ count: Int, level: Double = 0.3) -> [Float] {
    (0..<count).map { Float(level * sin(2 * .pi * hertz * Double($0) / 16_000)) }
  }

  /// MUSAN of tones, with its folders, and RIRS_NOISES of two rooms.
  private func corpora() throws {
    for (index, name) in [
      "noise/free-sound/n1", "noise/sound-bible/n2", "music/fma/m1", "speech/us-gov/s1", "speech/us-gov/s2",
    ].enumerated() {
      try write(tone(1_000 + 500 * Double(index), 3_200 + 3_200 * index), to: "musan/\(name).wav")
    }
    try folder.write("no sound", to: "musan/music/fma/ANNOTATIONS")
    for room in ["smallroom/Room001/Room001-00001", "largeroom/Room001/Room001-00001"] {
      try write([0, 0, 0.5, 0, -0.25], to: "rirs/simulated_rirs/\(room).wav")
    }
    try write(tone(100, 100), to: "rirs/pointsource_noises/n.wav")
    try write(tone(100, 100), to: "rirs/real_rirs_isotropic_noises/RVB2014_noise.wav")
    try write(tone(100, 100), to: "rirs/real_rirs_isotropic_noises/RVB2014_rir.wav")
  }

  private func settings(_ change: (inout AugmentationSettings) -> Void) -> AugmentationSettings {
    var settings = AugmentationSettings()
    settings.noise.corpus = folder("musan")
    settings.reverb.rooms = folder("rirs")
    change(&settings)
    return settings
  }

  private func augmented(_ settings: AugmentationSettings, _ crop: [Float], sample: Int = 0) throws -> [Float]
  {
    let augmenter = SoundAugmenter(settings, audio: audio, recordings: try .init(of: settings))
    var crop = crop
    try augmenter.distort(
      &crop, AugmentationDraws(settings, seed: 87, step: 3, shard: 1, sample: sample))
    return crop
  }

  /// The power of a tone in some samples.
  private func power(_ samples: [Float], at hertz: Double) -> Double {
    let w = 2 * Double.pi * hertz / 16_000
    let (a, b) = samples.enumerated().reduce(into: (0.0, 0.0)) { sums, sample in
      sums.0 += Double(sample.element) * cos(w * Double(sample.offset))
      sums.1 += Double(sample.element) * sin(w * Double(sample.offset))
    }
    return 2 * (a * a + b * b) / Double(samples.count * samples.count)
  }

  @Test("finds MUSAN's kinds and RIRS_NOISES' rooms by their folders, in the order of bytes")
  func folders() throws {
    try corpora()
    func names(_ recordings: SoundRecordings) -> [String] {
      recordings.paths.map { String($0.dropFirst(folder.path.count + 1)) }
    }
    let musan = folder("musan")
    #expect(
      names(try SoundRecordings(.noise, in: musan, key: "k")) == [
        "musan/noise/free-sound/n1.wav", "musan/noise/sound-bible/n2.wav",
      ])
    #expect(names(try SoundRecordings(.music, in: musan, key: "k")) == ["musan/music/fma/m1.wav"])
    #expect(try SoundRecordings(.speech, in: musan, key: "k").paths.count == 2)
    // A folder of something else is noise throughout.
    #expect(try SoundRecordings(.music, in: folder("rirs"), key: "k").paths.count == 5)
    #expect(
      names(try SoundRecordings(roomsIn: folder("rirs"), key: "k")) == [
        "rirs/simulated_rirs/largeroom/Room001/Room001-00001.wav",
        "rirs/simulated_rirs/smallroom/Room001/Room001-00001.wav",
      ])
    try FileManager.default.removeItem(atPath: folder("rirs/simulated_rirs"))
    #expect(
      names(try SoundRecordings(roomsIn: folder("rirs"), key: "k")) == [
        "rirs/real_rirs_isotropic_noises/RVB2014_rir.wav"
      ])
    try FileManager.default.removeItem(atPath: folder("musan/music/fma/m1.wav"))
    expectFailure(saying: "augment.music.corpus: \(musan) has no sound of music") {
      try SoundRecordings(.music, in: musan, key: "augment.music.corpus")
    }
    expectFailure(saying: "has no impulse responses") {
      try SoundRecordings(roomsIn: folder("musan/music"), key: "k")
    }
  }

  @Test(
    "lays each kind under the speech at the ratio that was drawn",
    arguments: [
      (\AugmentationSettings.noise, [1_000.0, 1_500]), (\AugmentationSettings.music, [2_000.0]),
      (\AugmentationSettings.babble, [2_500.0, 3_000]),
    ])
  func ratios(
    _ kind: WritableKeyPath<AugmentationSettings, AugmentationSettings.Interference> & Sendable,
    _ tones: [Double]
  ) throws {
    try corpora()
    let settings = settings {
      $0[keyPath: kind].probability = 1
      $0[keyPath: kind].decibels = .init(10, 10)
      $0.babbleVoices = 1...1
    }
    // 300 Hz and the others are whole periods of 32,000 samples.
    let crop = tone(300, 32_000)
    let own = power(crop, at: 300)
    for sample in 0..<6 {
      let result = try augmented(settings, crop, sample: sample)
      #expect(abs(power(result, at: 300) / own - 1) < 1e-3)
      let others = [1_000.0, 1_500, 2_000, 2_500, 3_000].filter { power(result, at: $0) > own / 100 }
      #expect(others.count == 1 && tones.contains(others[0]), "\(others)")
      let added = zip(result, crop).map { $0 - $1 }.meanPower
      #expect(abs(10 * log10(crop.meanPower / added) - 10) < 1e-3)
    }
  }

  @Test("makes babble of as many voices as were drawn, each at its own ratio to the speech alone")
  func babble() throws {
    try corpora()
    let settings = settings {
      $0.babble.probability = 1
      $0.babble.decibels = .init(20, 20)
      $0.babbleVoices = 5...5
    }
    let crop = tone(300, 32_000)
    let added = zip(try augmented(settings, crop), crop).map { $0 - $1 }
    // Two tones, five voices: their amplitudes add up where they are the same recording from the same place.
    let ratio = added.meanPower / crop.meanPower * 100
    #expect(ratio > 0.5 && ratio < 25.1, "\(ratio)")
  }

  @Test("puts speech into a room, silences stretches and takes bands out")
  func others() throws {
    try corpora()
    let crop = tone(300, 8_000)
    let room = try augmented(
      settings {
        $0.reverb.probability = 1
        $0.reverb.alignment = .peak
      }, crop)
    let heard = (0..<8_000).map { crop[$0] - ($0 < 2 ? 0 : 0.5 * crop[$0 - 2]) }
    let scale = Float((crop.meanPower / heard.meanPower).squareRoot())
    #expect(zip(room, heard).allSatisfy { abs($0 - $1 * scale) < 1e-3 })
    let chunks = try augmented(
      settings { $0.dropChunk.probability = 1 }, [Float](repeating: 0.5, count: 20_000))
    let silent = chunks.count { $0 == 0 }
    #expect(silent >= 1_000 && silent <= 10_000 && chunks.allSatisfy { $0 == 0 || $0 == 0.5 })
    let white = noise(32_000)
    let notched = try augmented(settings { $0.dropFrequency.probability = 1 }, white)
    #expect(notched.meanPower < white.meanPower && notched.meanPower > white.meanPower / 2)
  }

  private func noise(_ count: Int) -> [Float] {
    var random = SeededGenerator(seed: 5)
    return (0..<count).map { _ in Float.random(in: -0.5..<0.5, using: &random) }
  }

  @Test("gives the same bits for the same draws, whatever was done before, and others for others")
  func pure() throws {
    try corpora()
    let settings = settings {
      $0.noise.probability = 0.2
      $0.music.probability = 0.1
      $0.babble.probability = 0.2
      $0.reverb.probability = 0.2
      $0.dropFrequency.probability = 0.1
      $0.dropChunk.probability = 0.1
    }
    let one = SoundAugmenter(settings, audio: audio, recordings: try .init(of: settings))
    let crop = noise(6_000)
    var results: [[Float]] = []
    for sample in 0..<60 {
      var result = crop
      try one.distort(&result, AugmentationDraws(settings, seed: 1, step: 2, shard: 3, sample: sample))
      results.append(result)
    }
    #expect(results.count { $0 == crop } > 0 && results.count { $0 == crop } < 20)
    #expect(Set(results).count > 35)
    for sample in (0..<60).reversed() {
      let other = SoundAugmenter(settings, audio: audio, recordings: try .init(of: settings))
      var result = crop
      try other.distort(&result, AugmentationDraws(settings, seed: 1, step: 2, shard: 3, sample: sample))
      #expect(result == results[sample])
    }
  }

  @Test("plays at other speeds as SoX does: length, pitch", arguments: [0.9, 1.0, 1.1])
  func speeds(_ factor: Double) throws {
    let settings = settings { $0.speed.factors = [1, factor] }
    let augmenter = SoundAugmenter(settings, audio: audio, recordings: .init())
    let source = tone(1_000, augmenter.source(of: 16_000, speed: 1))
    let result = augmenter.change(source, speed: 1)
    #expect(result.count == augmenter.samples(of: source.count, speed: 1))
    #expect(result.count >= 16_000 && result.count <= 16_003)
    let expected = tone(1_000 * factor, 16_000)
    #expect(zip(result[200..<15_800], expected[200..<15_800]).allSatisfy { abs($0 - $1) < 1e-3 })
    #expect(augmenter.change(source, speed: 0) == source)
  }

  @Test("that lacks a folder says which key names it")
  func missing() throws {
    var settings = AugmentationSettings()
    settings.babble.probability = 1
    expectFailure(.usage, saying: "augment.noise.corpus: augment.babble.probability needs a folder") {
      _ = try SoundAugmenter.Recordings(of: settings)
    }
    settings = AugmentationSettings()
    settings.reverb.probability = 1
    expectFailure(.usage, saying: "augment.reverb.rooms: augment.reverb.probability needs a folder") {
      _ = try SoundAugmenter.Recordings(of: settings)
    }
    settings.reverb.rooms = folder("none")
    expectFailure(.missingInput, saying: "no such folder") { _ = try SoundAugmenter.Recordings(of: settings) }
  }
}
