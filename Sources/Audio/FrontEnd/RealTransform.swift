import CAudioKernels
import Foundation

/// The squared magnitudes of the discrete Fourier transform of four real signals at a time, in double precision.
///
/// A real signal of N samples is N / 2 complex ones, `x[2n] + i·x[2n+1]`; their transform is taken with
/// Stockham's self-sorting algorithm (Cochran et al., "What is the fast Fourier transform?", Proc. IEEE
/// 55(10), 1967) and then separated into the N / 2 + 1 bins of the real one. For the homework's front end's 400
/// samples the passes have radices 4, 2, 5 and 5.
final class RealTransform: Sendable {
  /// The number of real samples, N.
  let size: Int
  /// The number of bins, N / 2 + 1: from 0 to the Nyquist frequency.
  var bins: Int { size / 2 + 1 }

  // Never written after init, so threads may share them.
  private nonisolated(unsafe) let passes: UnsafeMutableBufferPointer<audio_pass>
  /// `exp(-2πi·k/N)` for the separation of bin k.
  private let separation: [Double]
  private nonisolated(unsafe) let twiddles: UnsafeMutableBufferPointer<Double>

  /// Whether signals of `size` samples can be transformed: an even number whose half has no prime factors but 2 and 5.
  static func takes(_ size: Int) -> Bool {
    guard size > 1, size % 2 == 0 else { return false }
    var rest = size / 2
    for factor in [2, 5] { while rest % factor == 0 { rest /= factor } }
    return rest == 1
  }

  /// - Precondition: `takes(size)`.
  init(size: Int) {
    precondition(Self.takes(size), "half of the size \(size) has a prime factor other than 2 and 5")
    self.size = size
    var plan: [(radix: Int, length: Int, stride: Int)] = []
    var length = size / 2
    var stride = 1
    while length > 1 {
      let radix = [4, 2, 5].first { length % $0 == 0 }!
      plan.append((radix, length, stride))
      length /= radix
      stride *= radix
    }
    twiddles = .allocate(capacity: 2 * plan.reduce(0) { $0 + $1.length })
    passes = .allocate(capacity: plan.count)
    var next = 0
    for (index, pass) in plan.enumerated() {
      let start = twiddles.baseAddress! + next
      passes.initializeElement(
        at: index,
        to: audio_pass(
          radix: Int64(pass.radix), length: Int64(pass.length), stride: Int64(pass.stride), twiddles: start))
      for i in 0..<pass.length {
        let root = Self.unitRoot((i / pass.radix) * (i % pass.radix), of: pass.length)
        twiddles.initializeElement(at: next, to: root.cosine)
        twiddles.initializeElement(at: next + 1, to: root.sine)
        next += 2
      }
    }
    separation = (0...size / 2).flatMap { k in
      let root = Self.unitRoot(k, of: size)
      return [root.cosine, root.sine]
    }
  }

  deinit {
    passes.deallocate()
    twiddles.deallocate()
  }

  /// The squared magnitudes of the bins.
  ///
  /// - Parameters:
  ///   - signal: N / 2 complex numbers of four lanes, `x[2n] + i·x[2n+1]`; overwritten.
  ///   - scratch: room for N / 2 more.
  ///   - power: receives N / 2 + 1 values of four lanes.
  func power(
    of signal: UnsafeMutablePointer<Double>, scratch: UnsafeMutablePointer<Double>,
    into power: UnsafeMutablePointer<Double>
  ) {
    audio_power(passes.baseAddress, passes.count, separation, size / 2, signal, scratch, power)
  }

  /// `exp(-2πi · index / order)`, the factor of a forward transform.
  private static func unitRoot(_ index: Int, of order: Int) -> (cosine: Double, sine: Double) {
    // The reduced index keeps the angle small, where the library's functions are exact to the last bit.
    let angle = -2 * Double.pi * Double(index % order) / Double(order)
    return (cos(angle), sin(angle))
  }
}
