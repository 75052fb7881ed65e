/// The sounds the built-in corpus is spoken with.
///
/// Vowels are the men's averages of Hillenbrand, Getty, Clark and Wheeler, "Acoustic characteristics of
/// American English vowels", J. Acoust. Soc. Am. 97(5), 1995, table V, with their durations shortened by
/// 0.6 for running speech. Consonants follow the targets of Klatt, "Software for a cascade/parallel formant
/// synthesizer", J. Acoust. Soc. Am. 67(3), 1980, table III; his fourth formant is 3300 Hz throughout. His
/// parallel amplitudes of the noise are reduced to one band and a flat share.
extension Phoneme {
  /// The twelve vowels.
  package static let vowels: [Phoneme] = [
    vowel("i", 243, [342, 2322, 3000, 3657]), vowel("ɪ", 192, [427, 2034, 2684, 3618]),
    vowel("e", 267, [476, 2089, 2691, 3649]), vowel("ɛ", 189, [580, 1799, 2605, 3677]),
    vowel("æ", 278, [588, 1952, 2601, 3624]), vowel("ɑ", 267, [768, 1333, 2522, 3687]),
    vowel("ɔ", 283, [652, 997, 2538, 3486]), vowel("o", 265, [497, 910, 2459, 3384]),
    vowel("ʊ", 192, [469, 1122, 2434, 3400]), vowel("u", 237, [378, 997, 2343, 3357]),
    vowel("ʌ", 188, [623, 1200, 2550, 3557]), vowel("ɝ", 263, [474, 1379, 1710, 3334]),
  ]

  /// The consonants that may stand before a vowel.
  package static let onsets: [Phoneme] = nasals.dropLast() + approximants + fricatives + stops

  /// The consonants that may stand after a vowel.
  package static let codas: [Phoneme] = nasals + fricatives.dropLast() + stops

  static let nasals: [Phoneme] = [
    nasal("m", [480, 1270, 2130, 3300]), nasal("n", [480, 1340, 2470, 3300]),
    nasal("ŋ", [480, 2000, 2900, 3300]),
  ]

  static let approximants: [Phoneme] = [
    approximant("w", [290, 610, 2150, 3300]), approximant("j", [260, 2070, 3020, 3500]),
    approximant("ɹ", [310, 1060, 1380, 3300]), approximant("l", [310, 1050, 2880, 3300]),
  ]

  static let fricatives: [Phoneme] = [
    fricative("f", [340, 1100, 2080, 3300], flat: 0.06),
    fricative("v", [220, 1100, 2080, 3300], flat: 0.03, voicing: 0.35),
    fricative("θ", [320, 1290, 2540, 3300], centre: 6500, bandwidth: 3000, band: 0.03, flat: 0.04),
    fricative(
      "ð", [270, 1290, 2540, 3300], centre: 6500, bandwidth: 3000, band: 0.02, flat: 0.02, voicing: 0.4),
    fricative("s", [320, 1390, 2530, 3300], centre: 6000, bandwidth: 2200, band: 0.5),
    fricative("z", [240, 1390, 2530, 3300], centre: 6000, bandwidth: 2200, band: 0.25, voicing: 0.3),
    fricative("ʃ", [300, 1840, 2750, 3300], centre: 3000, bandwidth: 1600, band: 0.5),
    Phoneme(
      symbol: "h",
      phases: [
        Phase(
          formants: [500, 1500, 2500, 3500], bandwidths: [300, 120, 180, 300], aspiration: 0.12,
          milliseconds: 60)
      ]),
  ]

  static let stops: [Phoneme] = [
    stop("p", [400, 1100, 2150, 3300], centre: 1000, bandwidth: 1500, band: 0.1, flat: 0.2),
    stop("b", [200, 1100, 2150, 3300], centre: 1000, bandwidth: 1500, band: 0.1, flat: 0.1, voiced: true),
    stop("t", [400, 1600, 2600, 3300], centre: 4800, bandwidth: 2500, band: 0.9),
    stop("d", [200, 1600, 2600, 3300], centre: 4000, bandwidth: 2500, band: 0.6, voiced: true),
    stop("k", [300, 1990, 2850, 3300], centre: 2500, bandwidth: 900, band: 0.8),
    stop("g", [200, 1990, 2850, 3300], centre: 2500, bandwidth: 900, band: 0.5, voiced: true),
  ]

  /// Silence between phrases.
  package static let pause = Phoneme(
    symbol: "‖", phases: [Phase(formants: [500, 1500, 2500, 3500], milliseconds: 110)])

  private static func vowel(_ symbol: String, _ milliseconds: Float, _ formants: SIMD4<Float>) -> Phoneme {
    Phoneme(
      symbol: symbol, phases: [Phase(formants: formants, voicing: 1, milliseconds: 0.6 * milliseconds)])
  }

  private static func nasal(_ symbol: String, _ formants: SIMD4<Float>) -> Phoneme {
    Phoneme(
      symbol: symbol,
      phases: [
        Phase(
          formants: formants, bandwidths: [60, 200, 250, 300], nasalZero: 450, voicing: 0.7, milliseconds: 70)
      ])
  }

  private static func approximant(_ symbol: String, _ formants: SIMD4<Float>) -> Phoneme {
    Phoneme(symbol: symbol, phases: [Phase(formants: formants, voicing: 0.8, milliseconds: 65)])
  }

  private static func fricative(
    _ symbol: String, _ formants: SIMD4<Float>, centre: Float = 3000, bandwidth: Float = 2000,
    band: Float = 0, flat: Float = 0, voicing: Float = 0
  ) -> Phoneme {
    let noise = Frication(centre: centre, bandwidth: bandwidth, band: band, flat: flat)
    return Phoneme(
      symbol: symbol,
      phases: [
        Phase(
          formants: formants, bandwidths: [voicing > 0 ? 70 : 200, 120, 180, 300], voicing: voicing,
          frication: noise, milliseconds: voicing > 0 ? 75 : 105)
      ])
  }

  /// A closure, a burst of 10 ms and, without voice, the breath until the vocal folds come together.
  private static func stop(
    _ symbol: String, _ formants: SIMD4<Float>, centre: Float, bandwidth: Float, band: Float,
    flat: Float = 0, voiced: Bool = false
  ) -> Phoneme {
    let closure = Phase(
      formants: formants, bandwidths: [voiced ? 60 : 300, 120, 180, 300], voicing: voiced ? 0.2 : 0,
      milliseconds: voiced ? 55 : 70)
    var release = closure
    release.frication = Frication(centre: centre, bandwidth: bandwidth, band: band, flat: flat)
    release.milliseconds = 10
    var breath = closure
    breath.aspiration = 0.1
    breath.milliseconds = 35
    return Phoneme(symbol: symbol, phases: voiced ? [closure, release] : [closure, release, breath])
  }
}

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
