import Audio
import Foundation

/// The state of the speech organs for 5 ms, the step of Klatt's synthesizer.
package struct Posture: Sendable {
  /// Samples of audio in a posture.
  package static let samples = LogMel.sampleRate / 200

  /// The formants F1 to F8 in Hz.
  package var formants: SIMD8<Float>
  /// Their bandwidths in Hz.
  package var bandwidths: SIMD8<Float>
  /// The nasal zero in Hz.
  package var nasalZero: Float
  /// The strengths of voicing, aspiration, the band of frication and its flat share.
  package var strengths: SIMD4<Float>
  /// The centre and the width of the band of frication in Hz.
  package var frication: SIMD2<Float>
  /// The pitch in Hz.
  package var pitch: Float
}

/// The movement of the speech organs through an utterance.
///
/// A script gives targets that jump; organs glide. Every quantity is smoothed by a first-order filter
/// forwards and then backwards in time, so that a sound is coloured by the one before it and by the one to
/// come, and a transition stays centred on the boundary.
package struct Articulation: Sendable {
  /// One posture every 5 ms.
  package let postures: [Posture]

  /// The way one speaker's organs take through a script.
  package init(_ script: UtteranceScript, voice: SpeakerVoice) {
    let needed = (script.samples + Posture.samples - 1) / Posture.samples
    var postures: [Posture] = []
    postures.reserveCapacity(needed)
    for step in script.steps {
      let target = voice.posture(of: step)
      for _ in 0..<min(step.postures, needed - postures.count) { postures.append(target) }
    }
    precondition(postures.count == needed, "the script is shorter than its samples")

    smooth(&postures, \.formants, milliseconds: voice.glide)
    smooth(&postures, \.bandwidths, milliseconds: voice.glide)
    smooth(&postures, \.nasalZero, milliseconds: 10)
    smooth(&postures, \.strengths, milliseconds: 4)
    smooth(&postures, \.pitch, milliseconds: 40)
    self.postures = postures
  }
}

extension SpeakerVoice {
  /// The number of formants below the Nyquist frequency; a short tract has fewer.
  var formantCount: Int {
    let highest = formantScale * formantOffsets * Self.neutralFormants
    return (0..<8).first { highest[$0] >= 7600 } ?? 8
  }

  /// The resonances of a uniform tube of 17.5 cm, closed at one end: the neutral vowel.
  static let neutralFormants: SIMD8<Float> = [500, 1500, 2500, 3500, 4500, 5500, 6500, 7500]

  /// The posture one step of a script aims at.
  func posture(of step: UtteranceScript.Step) -> Posture {
    let phase = step.phase
    var formants = Self.neutralFormants
    formants.lowHalf = phase.formants
    if step.isVowel { formants = Self.neutralFormants + vowelSpace * (formants - Self.neutralFormants) }
    return Posture(
      formants: formantScale * formantOffsets * formants,
      bandwidths: bandwidthScale * SIMD8(lowHalf: phase.bandwidths, highHalf: [250, 300, 400, 500]),
      nasalZero: phase.nasalZero == Phoneme.nasalPole ? phase.nasalZero : nasalScale * phase.nasalZero,
      strengths: step.stress * [phase.voicing, phase.aspiration, phase.frication.band, phase.frication.flat],
      frication: [min(7400, fricationScale * phase.frication.centre), phase.frication.bandwidth],
      pitch: meanPitch * exp2(step.pitch / 12))
  }
}

/// A quantity that can be smoothed: a number or a vector of numbers.
private protocol Smoothable {
  static func mixed(_ a: Self, _ b: Self, share: Float) -> Self
}

extension Float: Smoothable {
  fileprivate static func mixed(_ a: Float, _ b: Float, share: Float) -> Float { a + share * (b - a) }
}

extension SIMD4<Float>: Smoothable {
  fileprivate static func mixed(_ a: Self, _ b: Self, share: Float) -> Self { a + share * (b - a) }
}

extension SIMD8<Float>: Smoothable {
  fileprivate static func mixed(_ a: Self, _ b: Self, share: Float) -> Self { a + share * (b - a) }
}

private func smooth<Value: Smoothable>(
  _ postures: inout [Posture], _ path: WritableKeyPath<Posture, Value>, milliseconds: Float
) {
  let share = 1 - exp(-5 / milliseconds)
  guard var value = postures.first?[keyPath: path] else { return }
  for index in postures.indices {
    value = .mixed(value, postures[index][keyPath: path], share: share)
    postures[index][keyPath: path] = value
  }
  for index in postures.indices.reversed() {
    value = .mixed(value, postures[index][keyPath: path], share: share)
    postures[index][keyPath: path] = value
  }
}
