import Foundation

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
