import Foundation

/// What is said and how: the sequence of phases, their durations, accents and stresses.
///
/// Syllables of onset, vowel and coda follow one another in phrases, with a short pause after each; the
/// pitch falls through a phrase. The sounds are drawn at random, so no two utterances say the same.
package struct UtteranceScript: Sendable {
  /// One phase, spoken.
  package struct Step: Sendable {
    package var phase: Phoneme.Phase
    /// Whether the speaker's habits of articulation shape the target: true of vowels.
    package var isVowel: Bool
    /// The duration in postures of 5 ms.
    package var postures: Int
    /// The pitch relative to the speaker's mean, in semitones.
    package var pitch: Float
    /// The strength of the voice, 1 on average.
    package var stress: Float
  }

  /// The phases in the order they are spoken; together at least as long as `samples`.
  package var steps: [Step]
  /// The length of the audio in samples.
  package var samples: Int

  /// One sound, its first phase held for so many postures of 5 ms.
  package init(holding phoneme: Phoneme, postures: Int, pitch: Float = 0) {
    steps = [
      Step(
        phase: phoneme.phases[0], isVowel: phoneme.isVowel, postures: postures, pitch: pitch, stress: 1)
    ]
    samples = postures * Posture.samples
  }

  /// What a speaker says in one utterance of so many samples.
  package init(key: SynthesisKey, voice: SpeakerVoice, samples: Int) {
    var draws = key.draws(.script)
    // The mood of the day: the pitch and the pace differ from one recording to the next.
    let mood = draws.normal(deviation: 1.2)
    let pace = voice.pace * draws.logUniform(0.9...1.11)
    let needed = (samples + Posture.samples - 1) / Posture.samples
    var spoken = 0
    steps = []
    self.samples = samples

    func speak(_ phoneme: Phoneme, pitch: Float, stress: Float) {
      for phase in phoneme.phases {
        let milliseconds = phase.milliseconds * (0.75 + 0.25 * stress) / pace * draws.logUniform(0.8...1.25)
        let postures = max(1, Int((milliseconds / 5).rounded()))
        steps.append(
          Step(
            phase: phase, isVowel: phoneme.isVowel, postures: postures, pitch: mood + pitch, stress: stress))
        spoken += postures
      }
    }

    while spoken < needed {
      let syllables = 3 + draws.integer(below: 6)
      for syllable in 0..<syllables {
        let fall = voice.pitchRange * (0.6 - 1.2 * Float(syllable) / Float(syllables))
        let accent = fall + 0.6 * voice.pitchRange * draws.normal()
        let stress = draws.uniform(0.6...1.3)
        if draws.chance(0.85) { speak(draws.pick(Phoneme.onsets), pitch: accent, stress: stress) }
        speak(draws.pick(Phoneme.vowels), pitch: accent, stress: stress)
        if draws.chance(0.35) { speak(draws.pick(Phoneme.codas), pitch: accent, stress: stress) }
      }
      speak(.pause, pitch: -0.6 * voice.pitchRange, stress: 1)
    }
  }
}

extension Phoneme {
  /// Whether this is one of the vowels.
  var isVowel: Bool { phases.count == 1 && phases[0].voicing == 1 }
}

/// How long utterances are: the inverse of a distribution function, drawn through given quantiles.
///
/// Between two quantiles the logarithm of the length is linear.
public struct LengthDistribution: Sendable {
  /// The name in `synthesis.json`.
  public let name: String
  private let quantiles: [(share: Float, frames: Float)]

  /// Utterances of 1.5 to 5 s, 2.4 s in the median: a corpus that is made in seconds.
  public static let short = LengthDistribution(
    name: "short", quantiles: [(0, 150), (0.25, 205), (0.5, 240), (0.75, 285), (0.95, 390), (1, 500)])

  /// The lengths of the homework's 64,666 utterances, recovered from their file sizes: 0.9 to 71.9 s, 5.4 s
  /// in the median, 6.6 s on average.
  public static let homework = LengthDistribution(
    name: "homework",
    quantiles: [
      (0, 91), (0.001, 252), (0.01, 314), (0.05, 368), (0.1, 397), (0.25, 440), (0.5, 540), (0.75, 737),
      (0.9, 1055), (0.95, 1337), (0.99, 2144), (0.999, 3732), (1, 7193),
    ])

  /// About how many frames an utterance has on average.
  var meanFrames: Int {
    let shares = 64
    return (0..<shares).reduce(0) { $0 + frames(at: (Float($1) + 0.5) / Float(shares)) } / shares
  }

  /// The number of frames below which the given share of the utterances lies.
  public func frames(at share: Float) -> Int {
    let upper = quantiles.dropFirst().first { share <= $0.share } ?? quantiles.last!
    let lower = quantiles.last { $0.share < upper.share } ?? quantiles.first!
    let position = (share - lower.share) / (upper.share - lower.share)
    return Int(exp(log(lower.frames) + position * (log(upper.frames) - log(lower.frames))).rounded())
  }
}
