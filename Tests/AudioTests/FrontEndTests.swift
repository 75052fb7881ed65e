import Audio
import Foundation
import TestSupport
import Testing

/// Made by `scripts/make-peer-features.py`.
@Suite("The front ends")
struct FrontEndTests {
  static let signals = ["noise", "speechLike", "chirp", "words"]
  let fixture: TensorFixture

  init() throws { fixture = try TensorFixture("peers", in: Bundle.module) }

  @Test("wespeaker80 is kaldi-native-fbank's and torchaudio's", arguments: signals)
  func kaldi(_ name: String) throws {
    let ours = try Self.frontEnd(.wespeaker80)(try fixture.floats("\(name).samples"))
    #expect(maximumDifference(ours, try fixture.floats("\(name).wespeaker")) <= 1e-3)
    #expect(maximumDifference(ours, try fixture.floats("\(name).torchaudio")) <= 1e-3)
  }

  @Test("speechbrain80 is SpeechBrain's", arguments: signals)
  func speechBrain(_ name: String) throws {
    let ours = try Self.frontEnd(.speechbrain80)(try fixture.floats("\(name).samples"))
    // 1e-3 nat is 0.0043 dB.
    #expect(maximumDifference(ours, try fixture.floats("\(name).speechbrain")) <= 4.3e-3)
  }

  @Test("features do not depend on how a signal is cut into blocks", arguments: FeatureSettings.Kind.allCases)
  func blocks(_ kind: FeatureSettings.Kind) throws {
    let samples = try fixture.floats("speechLike.samples")
    for count in [0, 1, 150, 200, 201, 399, 400, 401, 560, 1_039, 1_040, 12_000] {
      let frontEnd = try Self.frontEnd(kind)
      let signal = Array(samples.prefix(count))
      let whole = frontEnd(signal)
      #expect(whole.count == frontEnd.frames(samples: count) * frontEnd.bands)
      for block in [1, 97, 160, 1_000] {
        var stream = frontEnd.stream()
        var features: [Float] = []
        for start in stride(from: 0, to: count, by: block) {
          signal[start..<min(start + block, count)].withUnsafeBufferPointer {
            stream.push($0, into: &features)
          }
        }
        stream.finish(into: &features)
        frontEnd.limitRange(of: &features)
        #expect(features == whole, "\(count) samples in blocks of \(block)")
      }
    }
  }

  @Test("dither adds noise that depends on nothing but the frame")
  func dither() throws {
    var settings = FeatureSettings()
    settings.kind = .wespeaker80
    settings.dither = 1
    let silence = [Float](repeating: 0, count: 16_000)
    let features = try FrontEnd(settings, rate: 16_000)(silence)
    #expect(features == (try FrontEnd(settings, rate: 16_000)(silence)))
    // What torchaudio's has for dither 1 on silence.
    #expect(abs(features.reduce(0, +) / Float(features.count) - 4.4) < 0.15)
    settings.dither = 0
    #expect(try FrontEnd(settings, rate: 16_000)(silence).allSatisfy { abs($0 + 15.942) < 1e-3 })
  }

  @Test(
    "a number of the kind is replaced by one of the settings, and what makes no front end is refused by its key"
  )
  func settings() throws {
    var settings = FeatureSettings()
    settings.bands = 24
    settings.highHertz = 4_000
    #expect(try FrontEnd(settings, rate: 8_000)([Float](repeating: 0.1, count: 8_000)).count == 101 * 24)
    settings.highHertz = 4_001
    #expect { _ = try FrontEnd(settings, rate: 8_000) } throws: {
      "\($0)".hasPrefix("features.low_hz and features.high_hz")
    }
    settings.windowMilliseconds = 25
    #expect { _ = try FrontEnd(settings, rate: 22_050) } throws: { "\($0)".hasPrefix("features.window_ms") }
  }

  static func frontEnd(_ kind: FeatureSettings.Kind) throws -> FrontEnd {
    var settings = FeatureSettings()
    settings.kind = kind
    return try FrontEnd(settings, rate: 16_000)
  }
}

@Suite("Trimming")
struct TrimmingTests {
  @Test(
    "keeps the samples that SoX keeps, whatever the blocks", arguments: FrontEndTests.signals,
    [1_000_000, 1, 777])
  func sox(_ name: String, block: Int) throws {
    let fixture = try TensorFixture("peers", in: Bundle.module)
    let samples = try fixture.floats("\(name).samples")
    let gain = Float(pow(10, -3.0 / 20) / Double(samples.map(abs).max()!))
    let loud = samples.map { min(1, max(-1, $0 * gain)) }
    var trim = SilenceTrim(rate: 16_000)
    var kept: [Float] = []
    for start in stride(from: 0, to: loud.count, by: block) {
      loud[start..<min(start + block, loud.count)].withUnsafeBufferPointer { trim.push($0, into: &kept) }
    }
    trim.finish(into: &kept)
    #expect(maximumDifference(kept, try fixture.floats("\(name).sox")) <= 1e-6)
  }

  @Test("frames hold a voice where enough around them are loud, as compute-vad decides")
  func voice() {
    // Two loud frames among 20: threshold 5.5 + 0.5 · 3.8 = 7.4; each reaches two frames to both sides.
    var energies = [Float](repeating: 2, count: 20)
    energies[8] = 20
    energies[9] = 20
    let voiced = VoiceActivity.voiced(logEnergies: energies)
    #expect(voiced.indices.filter { voiced[$0] } == Array(6...11))
    #expect(VoiceActivity.voiced(logEnergies: []).isEmpty)
  }
}
