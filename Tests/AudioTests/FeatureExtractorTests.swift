import Audio
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite("Features of sound files")
struct FeatureExtractorTests {
  let folder = TemporaryFolder()
  /// Two seconds of speech-like noise: loud and quiet halves of half a second.
  let signal: [Double] = noise(32_000).enumerated().map { $1 * ($0 / 8_000 % 2 == 0 ? 0.5 : 1e-4) }

  @Test(
    "a file of the features' rate gives the front end's features of its samples",
    arguments: FeatureSettings.Kind.allCases)
  func plain(_ kind: FeatureSettings.Kind) throws {
    let path = try write("a.wav", WaveBytes(.float32, signal))
    var settings = FeatureSettings()
    settings.kind = kind
    let (features, summary) = try FeatureExtractor(AudioSettings(), settings).features(
      of: SoundSource(path: path))
    let expected = try FrontEnd(settings, rate: 16_000)(signal.map { Float($0) })
    #expect(features == expected)
    #expect(summary.frames == expected.count / (kind == .dvector40 ? 40 : 80))
    #expect(summary.seconds == 2 && summary.fileRate == 16_000)
  }

  @Test("channels become their mean, or the one that is asked for")
  func channels() throws {
    let path = try write("a.wav", WaveBytes(.float32, signal.flatMap { [$0, 0.5 * $0] }, channels: 2))
    let frontEnd = try FrontEnd(FeatureSettings(), rate: 16_000)
    func features(_ channel: AudioSettings.Channel, of source: SoundSource) throws -> [Float] {
      var audio = AudioSettings()
      audio.channel = channel
      return try FeatureExtractor(audio, FeatureSettings()).features(of: source).0
    }
    let source = SoundSource(path: path)
    #expect(try features(.mean, of: source) == frontEnd(signal.map { (Float($0) + Float(0.5 * $0)) / 2 }))
    #expect(try features(.number(0), of: source) == frontEnd(signal.map { Float($0) }))
    #expect(try features(.number(1), of: source) == frontEnd(signal.map { Float(0.5 * $0) }))
    // What a list says of one recording comes first.
    #expect(
      try features(.number(0), of: SoundSource(path: path, channel: 1))
        == frontEnd(signal.map { Float(0.5 * $0) }))
    #expect { _ = try features(.number(2), of: source) } throws: { "\($0)".contains("channel 2") }
  }

  @Test("another rate is resampled, and a bandwidth is passed through first")
  func rates() throws {
    let path = try write("a.wav", WaveBytes(.float32, signal, rate: 44_100))
    let samples = signal.map { Float($0) }
    let frontEnd = try FrontEnd(FeatureSettings(), rate: 16_000)
    var audio = AudioSettings()
    audio.minSeconds = 0.5
    #expect(
      try FeatureExtractor(audio, FeatureSettings()).features(of: SoundSource(path: path)).0
        == frontEnd(Resampler(from: 44_100, to: 16_000)(samples)))
    audio.bandwidth = 8_000
    #expect(
      try FeatureExtractor(audio, FeatureSettings()).features(of: SoundSource(path: path)).0
        == frontEnd(Resampler(from: 8_000, to: 16_000)(Resampler(from: 44_100, to: 8_000)(samples))))
  }

  @Test("of a recording that is a part of a file, that part alone is heard")
  func stretches() throws {
    let path = try write("a.wav", WaveBytes(.float32, signal))
    let extractor = try FeatureExtractor(shortAllowed, FeatureSettings())
    let frontEnd = try FrontEnd(FeatureSettings(), rate: 16_000)
    let samples = signal.map { Float($0) }
    func features(_ stretches: SoundSource.Stretch...) throws -> [Float] {
      try extractor.features(of: SoundSource(path: path, stretches: stretches)).0
    }
    #expect(try features(.init(start: 0.25, end: 0.75)) == frontEnd(Array(samples[4_000..<12_000])))
    #expect(
      try features(.init(start: 24_000, end: .infinity, unit: .samples))
        == frontEnd(Array(samples[24_000...])))
    #expect(
      try features(.init(start: 1, end: 1.5), .init(start: 0, end: 0.25))
        == frontEnd(Array(samples[16_000..<24_000] + samples[..<4_000])))
    // Kaldi's tolerance.
    #expect(try features(.init(start: 1.5, end: 2.4)) == frontEnd(Array(samples[24_000...])))
    #expect { _ = try features(.init(start: 1.5, end: 2.6)) } throws: { "\($0)".contains("ends at 2.60 s") }
    #expect(throws: Failure.self) { _ = try features(.init(start: 3, end: 4)) }
  }

  @Test("what is too short is refused with the key, and what is too long is cut")
  func lengths() throws {
    let path = try write("a.wav", WaveBytes(.float32, Array(signal.prefix(12_000))))
    #expect {
      _ = try FeatureExtractor(AudioSettings(), FeatureSettings()).features(of: SoundSource(path: path))
    } throws: {
      "\($0)".contains("has 0.75 s of sound; at least 1.0 s (audio.min_seconds) is needed")
    }
    var audio = shortAllowed
    audio.maxSeconds = 0.5
    let (features, _) = try FeatureExtractor(audio, FeatureSettings()).features(of: SoundSource(path: path))
    #expect(
      features == (try FrontEnd(FeatureSettings(), rate: 16_000)(signal.prefix(8_000).map { Float($0) })))
  }

  @Test("SoX's chain makes the loudest sample -3 dB and takes silence out")
  func sox() throws {
    let path = try write("a.wav", WaveBytes(.float32, signal))
    var audio = shortAllowed
    audio.peakDecibels = -3
    let extractor = try FeatureExtractor(audio, FeatureSettings())
    let samples = try extractor.samples(of: SoundSource(path: path))
    #expect(abs(samples.map(abs).max()! - 0.707946) < 1e-6)
    audio.trim = .sox
    let trimmed = try FeatureExtractor(audio, FeatureSettings()).samples(of: SoundSource(path: path))
    var trim = SilenceTrim(rate: 16_000)
    var expected: [Float] = []
    samples.withUnsafeBufferPointer { trim.push($0, into: &expected) }
    trim.finish(into: &expected)
    #expect(trimmed == expected)
    #expect(trimmed.count < 18_000 && trimmed.count > 15_000)
  }

  @Test("frames without voice are taken out by Kaldi's rule")
  func voice() throws {
    let path = try write("a.wav", WaveBytes(.float32, signal))
    var audio = shortAllowed
    audio.trim = .energy
    let (features, summary) = try FeatureExtractor(audio, FeatureSettings()).features(
      of: SoundSource(path: path))
    let all = try FrontEnd(FeatureSettings(), rate: 16_000)(signal.map { Float($0) })
    // The two loud halves, and two frames more at each of their inner edges.
    #expect(summary.frames * 40 == features.count)
    #expect((100...112).contains(summary.frames))
    #expect(Array(features.prefix(40 * 50)) == Array(all.prefix(40 * 50)))
    // From the features alone, for most frames the same.
    let byMels = all.withUnsafeBufferPointer {
      VoiceActivity.voiced(logEnergies: VoiceActivity.logEnergies(ofMels: $0, bands: 40))
    }
    #expect(abs(byMels.count { $0 } - summary.frames) <= 6)
  }

  private var shortAllowed: AudioSettings {
    var audio = AudioSettings()
    audio.minSeconds = 0.1
    return audio
  }

  private func write(_ name: String, _ wave: WaveBytes) throws -> String {
    try folder.write(wave.bytes, to: name)
  }
}

@Suite("The recipe of features")
struct FeatureRecipeTests {
  @Test("names all that makes features, and nothing that does not")
  func members() throws {
    let recipe = FeatureRecipe(AudioSettings(), FeatureSettings())
    var features = FeatureSettings()
    features.meanNormalization = .utterance
    var audio = AudioSettings()
    audio.minSeconds = 3
    #expect(FeatureRecipe(audio, features) == recipe)
    let changes: [(String, (inout AudioSettings, inout FeatureSettings) -> Void)] = [
      ("rate", { audio, _ in audio.rate = 8_000 }), ("bandwidth", { audio, _ in audio.bandwidth = 8_000 }),
      ("channel", { audio, _ in audio.channel = .number(0) }),
      ("peak_db", { audio, _ in audio.peakDecibels = -3 }),
      ("trim", { audio, _ in audio.trim = .sox }),
      ("kind", { _, features in features.kind = .speechbrain80 }),
      ("bands", { _, features in features.bands = 41 }),
      ("low_hz", { _, features in features.lowHertz = 51 }),
      ("dither", { _, features in features.dither = 1 }),
      ("window", { _, features in features.window = .povey }),
    ]
    for (key, change) in changes {
      var (audio, features) = (AudioSettings(), FeatureSettings())
      change(&audio, &features)
      let other = FeatureRecipe(audio, features)
      #expect(other.hash != recipe.hash)
      #expect(recipe.difference(to: other)?.key == key)
      #expect(try FeatureRecipe(text: other.text, from: "a pack") == other)
    }
    #expect(recipe.difference(to: recipe) == nil)
  }

  @Test("is refused where it is none", arguments: ["", "{", "[]", "1", "{\"a\": 1} x"])
  func damage(_ text: String) {
    #expect { _ = try FeatureRecipe(text: text, from: "a pack") } throws: { "\($0)".hasPrefix("a pack: ") }
  }
}
