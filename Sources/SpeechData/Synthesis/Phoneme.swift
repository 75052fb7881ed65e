/// A speech sound: one or several phases, each a target the vocal tract moves to.
package struct Phoneme: Sendable {
  /// What the speech organs do during one phase.
  package struct Phase: Sendable {
    /// The formants F1 to F4 of an adult man's tract, in Hz.
    package var formants: SIMD4<Float>
    /// Their bandwidths, in Hz.
    package var bandwidths: SIMD4<Float> = [60, 90, 150, 250]
    /// The frequency of the nasal zero in Hz; equal to `Phoneme.nasalPole` while the nose is closed.
    package var nasalZero = Phoneme.nasalPole
    /// The strength of the glottal pulses, 1 in a vowel.
    package var voicing: Float = 0
    /// The strength of the breath through the open glottis.
    package var aspiration: Float = 0
    /// The noise made at a constriction of the mouth.
    package var frication = Frication.none
    /// How long the phase takes at an average pace, in ms.
    package var milliseconds: Float
  }

  /// Noise from a constriction: a band of it, coloured by the cavity before the constriction, and a share
  /// with a flat spectrum.
  package struct Frication: Sendable {
    /// The centre of the band in Hz, for an adult man.
    package var centre: Float
    /// The width of the band in Hz.
    package var bandwidth: Float
    /// The strength of the band.
    package var band: Float
    /// The strength of the flat share.
    package var flat: Float

    package static let none = Frication(centre: 3000, bandwidth: 2000, band: 0, flat: 0)
  }

  /// The resonance of the closed nasal tract in Hz (Klatt 1980).
  package static let nasalPole: Float = 270

  /// The symbol of the International Phonetic Alphabet.
  package let symbol: String
  /// The phases in the order they are spoken.
  package let phases: [Phase]
}
