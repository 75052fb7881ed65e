import CAudioKernels
import Foundation

// What is done to samples without a draw: who draws is told by SpeechData.
extension [Float] {
  /// Adds other sound at a ratio to this one as it was: g = √(P / (P' · 10^(dB / 10))), with P a mean square and
  /// 1e-10 more, so that silence makes no infinity.
  ///
  /// - Parameters:
  ///   - other: as many samples.
  ///   - power: this sound's mean square, before anything was added.
  ///   - decibels: how far the other sound is below this one.
  package mutating func add(_ other: [Float], power: Double, decibels: Double) {
    precondition(other.count == count, "\(other.count) samples cannot be added to \(count)")
    guard !isEmpty else { return }
    let gain = ((power + 1e-10) / ((other.meanPower + 1e-10) * pow(10, decibels / 10))).squareRoot()
    withUnsafeMutableBufferPointer { audio_add_scaled($0.count, Float(gain), other, $0.baseAddress!) }
  }

  /// The mean of the squares; 0 of nothing.
  package var meanPower: Double { isEmpty ? 0 : squareSum / Double(count) }

  var squareSum: Double {
    withUnsafeBufferPointer { isEmpty ? 0 : audio_square_sum($0.count, $0.baseAddress!) }
  }

  var magnitudeSum: Double { reduce(0) { $0 + Double(abs($1)) } }

  mutating func scale(by factor: Double) {
    let factor = Float(factor)
    for n in indices { self[n] *= factor }
  }

  /// Silences a stretch, of which what is beyond the end is none.
  package mutating func silence(_ stretch: Range<Int>) {
    for n in stretch.clamped(to: indices) { self[n] = 0 }
  }
}

/// A filter that takes narrow bands out, as SpeechBrain's `DropFreq` makes it: each a low-pass and a high-pass filter
/// of 101 taps under Blackman windows, cut to 101 taps after each.
public struct NotchFilter: Sendable {
  /// [101], for a correlation as torch's `conv1d` is one: torch's Blackman window, and so these, are not quite
  /// symmetric.
  public private(set) var taps: [Float]

  private static let length = 101
  private static let centre = length / 2

  /// - Parameter notches: where each is, 0 to 1 of half the sampling rate, and how wide, likewise.
  public init(_ notches: [(place: Double, width: Double)]) {
    var filter = [Double](repeating: 0, count: Self.length)
    filter[Self.centre] = 1
    for (place, width) in notches {
      let notch = Self.notch(max(place, 1e-14), width)
      filter = (0..<Self.length).map { n in
        let first = Swift.max(0, n - Self.centre), last = Swift.min(Self.length - 1, n + Self.centre)
        return (first...last).reduce(0) { $0 + filter[$1] * notch[$1 - n + Self.centre] }
      }
    }
    taps = filter.map { Float($0) }
  }

  /// Filters `samples`, zeros beyond both ends, without a delay.
  public func callAsFunction(_ samples: inout [Float], _ convolver: Convolver) {
    guard !samples.isEmpty else { return }
    var result = [Float](repeating: 0, count: samples.count + Self.length - 1)
    result.withUnsafeMutableBufferPointer { result in
      samples.withUnsafeBufferPointer { samples in
        taps.reversed().withUnsafeBufferPointer { convolver.convolve(samples, with: $0, into: result) }
      }
    }
    for n in samples.indices { samples[n] = result[n + Self.centre] }
  }

  /// One notch; the factor 3, where π would be, is SpeechBrain's.
  private static func notch(_ place: Double, _ width: Double) -> [Double] {
    func lowpass(_ cutoff: Double) -> [Double] {
      let taps = (0..<length).map { n in
        let x = 3 * cutoff * Double(n - centre)
        let phase = 2 * Double.pi * Double(n) / Double(length)
        return (n == centre ? 1 : sin(x) / x) * (0.42 - 0.5 * cos(phase) + 0.08 * cos(2 * phase))
      }
      let sum = taps.reduce(0, +)
      return taps.map { $0 / sum }
    }
    var taps = zip(lowpass(place), lowpass(place + 2 * width)).map { $0 - $1 }
    taps[centre] += 1
    return taps
  }
}
