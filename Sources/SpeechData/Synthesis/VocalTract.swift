import Audio
import Foundation

/// The tract above the larynx: a cascade of formants, the nose, and the noise of constrictions.
///
/// The cascade branch of Klatt's synthesizer (1980): source → nasal zero and pole → F1 … F8 one after
/// another, so that the formants' levels come out by themselves, as in a real tract. Frication does not pass
/// the cascade; his bank of parallel resonators is one moving band and a flat share here.
package struct VocalTract: Sendable {
  private let formantCount: Int
  private let key: SynthesisKey

  package init(voice: SpeakerVoice, key: SynthesisKey) {
    formantCount = voice.formantCount
    self.key = key
  }

  /// Speech as it leaves the lips.
  ///
  /// - Parameters:
  ///   - source: what `GlottalSource.render` made of the same postures.
  ///   - postures: one for every 5 ms.
  package func speech(_ source: [Float], _ postures: [Posture]) -> [Float] {
    var speech = source
    speech.withUnsafeMutableBufferPointer { resonate($0, postures) }
    addFrication(to: &speech, postures)
    return speech
  }

  private func resonate(_ signal: UnsafeMutableBufferPointer<Float>, _ postures: [Posture]) {
    var nasalPole = Resonator()
    nasalPole.tune(frequency: Phoneme.nasalPole, bandwidth: 100)
    var nasalZero = AntiResonator()
    var formants = [Resonator](repeating: Resonator(), count: formantCount)
    for (index, posture) in postures.enumerated() {
      let block = UnsafeMutableBufferPointer(
        rebasing: signal[index * Posture.samples..<(index + 1) * Posture.samples])
      nasalZero.tune(frequency: posture.nasalZero, bandwidth: 100)
      nasalZero.filter(block)
      nasalPole.filter(block)
      for formant in 0..<formantCount {
        formants[formant].tune(
          frequency: posture.formants[formant], bandwidth: posture.bandwidths[formant])
        formants[formant].filter(block)
      }
    }
  }

  private func addFrication(to speech: inout [Float], _ postures: [Posture]) {
    let noise = key.stream(.frication).whiteNoise(Posture.samples * postures.count)
    var band = Biquad.bandPass(3000, bandwidth: 2000)
    var filtered = [Float](repeating: 0, count: Posture.samples)
    for (index, posture) in postures.enumerated() {
      let (bandStrength, flatStrength) = (posture.strengths[2], posture.strengths[3])
      guard max(bandStrength, flatStrength) > 1e-4 else { continue }
      let start = index * Posture.samples
      band.retune(.bandPass(posture.frication[0], bandwidth: posture.frication[1]))
      for n in 0..<Posture.samples { filtered[n] = noise[start + n] }
      filtered.withUnsafeMutableBufferPointer { band.filter($0) }
      for n in 0..<Posture.samples {
        speech[start + n] += bandStrength * filtered[n] + flatStrength * noise[start + n]
      }
    }
  }
}

/// Klatt's digital resonator: one formant, with gain 1 at 0 Hz.
///
/// `y[n] = a·x[n] + b·y[n-1] + c·y[n-2]` with `c = -exp(-2π·bandwidth/rate)`,
/// `b = 2·exp(-π·bandwidth/rate)·cos(2π·frequency/rate)`, `a = 1 - b - c` (Klatt 1980, equations 1 and 2).
package struct Resonator: Sendable {
  private var a: Float = 1
  private var b: Float = 0
  private var c: Float = 0
  private var y1: Float = 0
  private var y2: Float = 0

  /// A resonator that lets everything pass.
  package init() {}

  /// Moves the resonance; the state stays.
  ///
  /// - Parameters:
  ///   - frequency: in Hz, below half the sample rate.
  ///   - bandwidth: in Hz, between the points 3 dB under the peak.
  package mutating func tune(frequency: Float, bandwidth: Float) {
    (a, b, c) = Self.coefficients(frequency, bandwidth)
  }

  /// Filters in place.
  package mutating func filter(_ x: UnsafeMutableBufferPointer<Float>) {
    var (y1, y2) = (y1, y2)
    let (a, b, c) = (a, b, c)
    for n in x.indices {
      let y = (a * x[n] + c * y2) + b * y1
      (y2, y1) = (y1, y)
      x[n] = y
    }
    (self.y1, self.y2) = (y1, y2)
  }

  fileprivate static func coefficients(_ frequency: Float, _ bandwidth: Float) -> (Float, Float, Float) {
    let radius = exp(-.pi * bandwidth / Float(LogMel.sampleRate))
    let b = 2 * radius * cos(2 * .pi * frequency / Float(LogMel.sampleRate))
    let c = -radius * radius
    return (1 - b - c, b, c)
  }
}

/// The inverse of a resonator: a zero of the vocal tract, as the nose brings it in (Klatt 1980, equation 3).
package struct AntiResonator: Sendable {
  private var a: Float = 1
  private var b: Float = 0
  private var c: Float = 0
  private var x1: Float = 0
  private var x2: Float = 0

  /// An anti-resonator that lets everything pass.
  package init() {}

  /// Moves the zero; the state stays.
  package mutating func tune(frequency: Float, bandwidth: Float) {
    let (poleA, poleB, poleC) = Resonator.coefficients(frequency, bandwidth)
    (a, b, c) = (1 / poleA, -poleB / poleA, -poleC / poleA)
  }

  /// Filters in place.
  package mutating func filter(_ x: UnsafeMutableBufferPointer<Float>) {
    for n in x.indices {
      let input = x[n]
      x[n] = a * input + b * x1 + c * x2
      (x2, x1) = (x1, input)
    }
  }
}

/// A filter of second order, after Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter
/// coefficients", in transposed direct form II.
package struct Biquad: Sendable {
  private var b0: Float, b1: Float, b2: Float, a1: Float, a2: Float
  private var s1: Float = 0
  private var s2: Float = 0

  /// Keeps the frequencies above a corner; Butterworth for `q` 0.707.
  package static func highPass(_ frequency: Float, q: Float = 0.707) -> Biquad {
    let (cosine, alpha) = angle(frequency, q)
    return Biquad(
      (1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2, over: 1 + alpha, -2 * cosine, 1 - alpha)
  }

  /// Keeps the frequencies below a corner; Butterworth for `q` 0.707.
  package static func lowPass(_ frequency: Float, q: Float = 0.707) -> Biquad {
    let (cosine, alpha) = angle(frequency, q)
    return Biquad(
      (1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2, over: 1 + alpha, -2 * cosine, 1 - alpha)
  }

  /// Keeps a band, with gain 1 at its centre.
  package static func bandPass(_ frequency: Float, bandwidth: Float) -> Biquad {
    let (cosine, alpha) = angle(frequency, frequency / bandwidth)
    return Biquad(alpha, 0, -alpha, over: 1 + alpha, -2 * cosine, 1 - alpha)
  }

  /// Raises or lowers a band by so many dB.
  package static func peak(_ frequency: Float, q: Float, decibels: Float) -> Biquad {
    let (cosine, alpha) = angle(frequency, q)
    let gain = pow(10, decibels / 40)
    return Biquad(
      1 + alpha * gain, -2 * cosine, 1 - alpha * gain, over: 1 + alpha / gain, -2 * cosine, 1 - alpha / gain)
  }

  /// Raises or lowers everything above a corner by so many dB, with slope 1.
  package static func highShelf(_ frequency: Float, decibels: Float) -> Biquad {
    let (cosine, alpha) = angle(frequency, 0.707)
    let gain = pow(10, decibels / 40)
    let root = 2 * gain.squareRoot() * alpha
    return Biquad(
      gain * ((gain + 1) + (gain - 1) * cosine + root), -2 * gain * ((gain - 1) + (gain + 1) * cosine),
      gain * ((gain + 1) + (gain - 1) * cosine - root), over: (gain + 1) - (gain - 1) * cosine + root,
      2 * ((gain - 1) - (gain + 1) * cosine), (gain + 1) - (gain - 1) * cosine - root)
  }

  /// Takes another filter's coefficients and keeps the state: for a band that moves.
  package mutating func retune(_ other: Biquad) {
    (b0, b1, b2, a1, a2) = (other.b0, other.b1, other.b2, other.a1, other.a2)
  }

  /// Filters in place.
  package mutating func filter(_ x: UnsafeMutableBufferPointer<Float>) {
    var (s1, s2) = (s1, s2)
    for n in x.indices {
      let input = x[n]
      let output = b0 * input + s1
      s1 = b1 * input + s2 - a1 * output
      s2 = b2 * input - a2 * output
      x[n] = output
    }
    (self.s1, self.s2) = (s1, s2)
  }

  private init(_ b0: Float, _ b1: Float, _ b2: Float, over a0: Float, _ a1: Float, _ a2: Float) {
    (self.b0, self.b1, self.b2) = (b0 / a0, b1 / a0, b2 / a0)
    (self.a1, self.a2) = (a1 / a0, a2 / a0)
  }

  private static func angle(_ frequency: Float, _ q: Float) -> (cosine: Float, alpha: Float) {
    let omega = 2 * Float.pi * frequency / Float(LogMel.sampleRate)
    return (cos(omega), sin(omega) / (2 * q))
  }
}
