import Audio
import Foundation

/// What stays the same from one utterance of a speaker to the next: vocal tract, voice source, habits.
///
/// The spreads are those of adults: men's and women's tracts differ by 15 to 20 %, their pitch by a factor
/// of 1.7 (Hillenbrand et al. 1995); voice quality spans the range of Klatt and Klatt, "Analysis, synthesis,
/// and perception of voice quality variations among female and male talkers", J. Acoust. Soc. Am. 87(2), 1990.
package struct SpeakerVoice: Sendable {
  // The vocal tract.

  /// Formant frequencies relative to the average man's: the inverse of the tract's length.
  package var formantScale: Float
  /// What each of the formants F1 to F8 has of its own, as a factor.
  package var formantOffsets: SIMD8<Float>
  /// How far vowels lie from the neutral one, 1 on average: careful or indistinct articulation.
  package var vowelSpace: Float
  /// Formant bandwidths relative to the average: the losses of the tract.
  package var bandwidthScale: Float
  /// The nasal zero relative to the average: the cavity of the nose.
  package var nasalScale: Float
  /// The noise bands of fricatives and bursts relative to the average: teeth and palate.
  package var fricationScale: Float

  // The voice source.

  /// The mean pitch in Hz.
  package var meanPitch: Float
  /// The deviation of the pitch about its mean in semitones.
  package var pitchRange: Float
  /// The share of a period during which the glottis is open.
  package var openQuotient: Float
  /// The loss of the source at 3 kHz in dB, beyond that of the pulses.
  package var spectralTilt: Float
  /// The noise of the breath in the voice, relative to the pulses.
  package var breath: Float
  /// The deviation of successive periods, as a share.
  package var jitter: Float
  /// The deviation of successive pulses' strength, as a share.
  package var shimmer: Float

  // Habits.

  /// The pace, 1 on average: phases last 1 / pace.
  package var pace: Float
  /// The time constant of the articulators' movement in ms.
  package var glide: Float

  /// The voice of one speaker of a corpus.
  package init(seed: UInt64, speaker: Int) {
    var draws = SynthesisKey(seed: seed, speaker: speaker, utterance: 0).draws(.voice)
    let isWoman = draws.chance(0.5)
    formantScale = draws.normal(mean: isWoman ? 1.16 : 1, deviation: 0.045)
    formantOffsets = SIMD8(repeating: 1)
    for formant in 0..<8 { formantOffsets[formant] = draws.normal(mean: 1, deviation: 0.035) }
    vowelSpace = draws.uniform(0.8...1.1)
    bandwidthScale = draws.logUniform(0.8...1.5)
    nasalScale = draws.logUniform(0.8...1.3)
    fricationScale = draws.normal(mean: isWoman ? 1.1 : 1, deviation: 0.07)
    meanPitch = (isWoman ? 205 : 120) * pow(2, draws.normal(deviation: 2.2) / 12)
    pitchRange = draws.uniform(1...3.5)
    openQuotient = draws.uniform(0.45...0.8)
    spectralTilt = draws.uniform(0...16)
    breath = draws.logUniform(0.005...0.08)
    jitter = draws.logUniform(0.003...0.015)
    shimmer = draws.logUniform(0.02...0.1)
    pace = draws.logUniform(0.75...1.3)
    glide = draws.uniform(12...25)
  }
}

/// The sound of the larynx: pulses of air between the vocal folds, and breath.
///
/// A pulse is the polynomial of KLGLOTT88, flow `U = τ² - τ³` over the open phase `0 ≤ τ ≤ 1` (Klatt and
/// Klatt 1990, after Rosenberg, "Effect of glottal pulse shape on the quality of natural vowels", 1971).
/// What is rendered is its derivative, which includes the radiation at the lips. The jump of the derivative
/// at the closure is softened over two samples (Välimäki and Huovilainen, "Antialiasing oscillators in
/// subtractive synthesis", IEEE Signal Processing Magazine, 2007), for a pulse begins between samples and
/// a bare jump would alias. A first-order low-pass makes the speaker's tilt.
package struct GlottalSource: Sendable {
  private let voice: SpeakerVoice
  private let key: SynthesisKey

  package init(voice: SpeakerVoice, key: SynthesisKey) {
    self.voice = voice
    self.key = key
  }

  /// The source signal, `Posture.samples` samples for every posture.
  package func render(_ postures: [Posture]) -> [Float] {
    let count = postures.count * Posture.samples
    var pulses = [Float](repeating: 0, count: count)
    // How strong the breath is: less while the folds are closed.
    var openness = [Float](repeating: 1, count: count)
    var draws = key.draws(.glottis)
    var start = 0.0
    while start < Double(count) {
      let posture = postures[Int(start) / Posture.samples]
      let frequency = posture.pitch * (1 + voice.jitter * draws.normal())
      let period = Double(LogMel.sampleRate) / Double(frequency)
      let strength = posture.strengths[0] * (1 + voice.shimmer * draws.normal())
      if strength > 1e-3 {
        addPulse(from: start, period: period, strength: strength, to: &pulses, openness: &openness)
      }
      start += period
    }
    tilt(&pulses)
    addBreath(postures, openness, to: &pulses)
    return pulses
  }

  private func addPulse(
    from start: Double, period: Double, strength: Float, to pulses: inout [Float], openness: inout [Float]
  ) {
    let open = Double(voice.openQuotient) * period
    let closure = start + open
    for n in Int(start.rounded(.up))..<min(pulses.count, Int((start + period).rounded(.up))) {
      let phase = Float((Double(n) - start) / open)
      if phase < 1 {
        pulses[n] += strength * phase * (2 - 3 * phase)
      } else {
        openness[n] = 0.5
      }
    }
    // The polynomial residue of a band-limited step from -strength to 0.
    let after = Int(closure.rounded(.up))
    let late = Float(Double(after) - closure)
    if after < pulses.count { pulses[after] -= 0.5 * strength * (1 - late) * (1 - late) }
    if (1...pulses.count).contains(after) { pulses[after - 1] += 0.5 * strength * late * late }
  }

  /// A low-pass of first order that takes `spectralTilt` dB away at 3 kHz.
  private func tilt(_ pulses: inout [Float]) {
    let excess = pow(10, voice.spectralTilt / 10) - 1
    guard excess > 0 else { return }
    let corner = 3000 / excess.squareRoot()
    let share = 1 - exp(-2 * .pi * corner / Float(LogMel.sampleRate))
    var value: Float = 0
    for n in pulses.indices {
      value += share * (pulses[n] - value)
      pulses[n] = value
    }
  }

  /// Breath: with the voice, as strong as the speaker's habit, and alone, where the script asks for it.
  private func addBreath(_ postures: [Posture], _ openness: [Float], to pulses: inout [Float]) {
    let noise = key.stream(.aspiration).whiteNoise(pulses.count)
    for (index, posture) in postures.enumerated() {
      let voiced = voice.breath * posture.strengths[0]
      let alone = posture.strengths[1]
      for n in index * Posture.samples..<(index + 1) * Posture.samples {
        pulses[n] += noise[n] * (voiced * openness[n] + alone)
      }
    }
  }
}
