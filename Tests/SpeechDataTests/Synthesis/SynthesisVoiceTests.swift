import Audio
import Foundation
import SpeechData
import Testing

struct SynthesisVoiceTests {
  let key = SynthesisKey(seed: 11, speaker: 0, utterance: 0)

  /// The lag of the highest autocorrelation between 50 and 400 Hz, as a frequency.
  private func pitch(_ signal: [Float]) -> Float {
    let lags = 40...320
    let best = lags.max { a, b in
      func correlation(_ lag: Int) -> Float {
        zip(signal, signal.dropFirst(lag)).reduce(0) { $0 + $1.0 * $1.1 }
      }
      return correlation(a) < correlation(b)
    }!
    return 16_000 / Float(best)
  }

  @Test("a vowel has the pitch of its script", arguments: [0, 7, -5] as [Float])
  func pitches(_ semitones: Float) {
    let renderer = UtteranceRenderer(voice: .steady, key: key)
    let speech = renderer.speech(UtteranceScript(holding: Phoneme.vowels[5], postures: 60, pitch: semitones))
    let expected = 125 * pow(2, semitones / 12)
    #expect(abs(pitch(Array(speech.dropFirst(800))) / expected - 1) < 0.02)
  }

  /// The tract's answer to an impulse has its peaks at the formants of the table, scaled by the speaker.
  @Test(
    "a vowel has the formants of its table, scaled by the speaker", arguments: Phoneme.vowels.indices,
    [1, 1.18] as [Float])
  func formants(_ index: Int, _ scale: Float) {
    var voice = SpeakerVoice.steady
    voice.formantScale = scale
    voice.bandwidthScale = 0.6
    let postures = Articulation(UtteranceScript(holding: Phoneme.vowels[index], postures: 50), voice: voice)
      .postures
    var impulse = [Float](repeating: 0, count: 4000)
    impulse[0] = 1
    let answer = VocalTract(voice: voice, key: key).speech(impulse, postures)
    let spectrum = stride(from: 0.0, to: 4500, by: 10).map { magnitude(answer, hertz: $0) }
    let peaks = spectrum.indices.dropFirst().dropLast()
      .filter { spectrum[$0] > spectrum[$0 - 1] && spectrum[$0] > spectrum[$0 + 1] }
      .map { Float($0) * 10 }
    for formant in 0..<3 {
      let target = scale * Phoneme.vowels[index].phases[0].formants[formant]
      let nearest = peaks.map { abs($0 - target) }.min()!
      #expect(nearest <= 0.05 * target, "F\(formant + 1) of \(Phoneme.vowels[index].symbol)")
    }
  }

  @Test("spectral tilt darkens the source, and breath fills the gaps between its harmonics") func source() {
    func source(_ change: (inout SpeakerVoice) -> Void) -> [Float] {
      var voice = SpeakerVoice.steady
      change(&voice)
      let postures = Articulation(UtteranceScript(holding: Phoneme.vowels[0], postures: 100), voice: voice)
        .postures
      return GlottalSource(voice: voice, key: key).render(postures)
    }
    let plain = source { _ in }
    // 125 Hz puts harmonic 24 at 3 kHz.
    func tiltInDecibels(_ signal: [Float]) -> Double {
      20 * log10(magnitude(signal, hertz: 3000) / magnitude(signal, hertz: 125))
    }
    #expect(abs(tiltInDecibels(source { $0.spectralTilt = 12 }) - tiltInDecibels(plain) + 12) < 1.5)

    // Between two harmonics there is nothing but breath.
    let between = magnitude(source { $0.breath = 0.05 }, hertz: 3062.5) / magnitude(plain, hertz: 3062.5)
    #expect(between > 3)
  }

  @Test("a fricative is noise in the band of its table") func fricatives() throws {
    let s = try #require(Phoneme.onsets.first { $0.symbol == "s" })
    let speech = UtteranceRenderer(voice: .steady, key: key)
      .speech(UtteranceScript(holding: s, postures: 100))
    let mel = LogMel()(speech)
    let mean = NearestCentroid.mean(mel)
    // Band 36 lies about 6 kHz, band 10 about 900 Hz.
    #expect(mean[36] - mean[10] > 5)
  }

  @Test("speakers differ, are human, and keep their voices") func speakers() {
    let voices = (0..<200).map { SpeakerVoice(seed: 3, speaker: $0) }
    #expect(Set(voices.map(\.formantScale)).count == 200)
    #expect(voices.allSatisfy { (0.8...1.4).contains($0.formantScale) && (60...420).contains($0.meanPitch) })
    #expect(voices.allSatisfy { $0.formantOffsets.min() > 0.8 && $0.formantOffsets.max() < 1.2 })
    let again = SpeakerVoice(seed: 3, speaker: 17)
    #expect(again.formantOffsets == voices[17].formantOffsets && again.meanPitch == voices[17].meanPitch)
    #expect(SpeakerVoice(seed: 4, speaker: 17).meanPitch != again.meanPitch)
  }

  @Test("no two utterances say the same") func scripts() {
    let scripts = (0..<20).map { utterance in
      let key = SynthesisKey(seed: 1, speaker: 0, utterance: utterance)
      return UtteranceScript(key: key, voice: .steady, samples: 32_000).steps.map(\.phase.formants)
    }
    #expect(Set(scripts).count == 20)
  }
}
