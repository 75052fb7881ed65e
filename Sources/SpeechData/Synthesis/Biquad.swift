import Foundation

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
