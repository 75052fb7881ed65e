import CAudioKernels
import Foundation

/// The discrete Fourier transform of complex numbers in single precision, for convolutions.
///
/// Stockham's self-sorting algorithm (Cochran et al., "What is the fast Fourier transform?", Proc. IEEE 55(10), 1967)
/// in passes of radix 4, and a last one of radix 2 where the size asks for it. Real and imaginary parts are arrays of
/// their own, so that the passes fill vectors; the inverse, without its factor 1 / N, is the same with the two
/// exchanged.
struct ConvolutionTransform: Sendable {
  /// N, a power of 2.
  let size: Int

  private let passes: [Pass]

  private struct Pass: Sendable {
    let radix: Int
    let groups: Int
    let stride: Int
    /// As `audio_convolution_pass` takes them.
    let twiddles: [Float]
  }

  /// Real and imaginary parts.
  struct Numbers {
    var real: UnsafeMutablePointer<Float>
    var imaginary: UnsafeMutablePointer<Float>

    var exchanged: Numbers { Numbers(real: imaginary, imaginary: real) }
  }

  /// - Parameter size: a power of 2, at least 4.
  init(size: Int) {
    precondition(size >= 4 && size & (size - 1) == 0, "a transform's size is a power of 2, not \(size)")
    self.size = size
    var passes: [Pass] = []
    var (length, stride) = (size, 1)
    while length > 1 {
      let radix = length == 2 ? 2 : 4
      let groups = length / radix
      var twiddles: [Float] = []
      for j in 1..<radix where radix == 4 {
        let angles = (0..<groups).map { -2 * Double.pi * Double($0 * j) / Double(length) }
        twiddles += angles.map { Float(cos($0)) } + angles.map { Float(sin($0)) }
      }
      passes.append(Pass(radix: radix, groups: groups, stride: stride, twiddles: twiddles))
      length = groups
      stride *= radix
    }
    self.passes = passes
  }

  /// Transforms N numbers.
  ///
  /// - Parameters:
  ///   - numbers: overwritten.
  ///   - scratch: room for N more.
  /// - Returns: where the result is, one of the two.
  func callAsFunction(_ numbers: Numbers, scratch: Numbers) -> Numbers {
    var (from, to) = (numbers, scratch)
    for pass in passes {
      audio_convolution_pass(
        pass.radix, pass.groups, pass.stride, pass.twiddles, from.real, from.imaginary, to.real, to.imaginary)
      swap(&from, &to)
    }
    return from
  }
}
