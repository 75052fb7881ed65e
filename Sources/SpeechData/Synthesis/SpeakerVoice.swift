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
