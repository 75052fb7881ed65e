/// The discrete Fourier transform of four real signals at a time, in double precision.
///
/// A real signal of N samples is N / 2 complex ones, `x[2n] + i·x[2n+1]`; their transform is taken with
/// Stockham's self-sorting algorithm (Cochran et al., "What is the fast Fourier transform?", Proc. IEEE
/// 55(10), 1967) and then separated into the N / 2 + 1 bins of the real one. For the front end's 400
/// samples the passes have radices 4, 2, 5 and 5.
struct RealTransform: Sendable {
  /// The number of real samples, N.
  let size: Int
  /// The number of bins, N / 2 + 1: from 0 to the Nyquist frequency.
  var bins: Int { size / 2 + 1 }

  private let passes: [Pass]
  /// `exp(-2πi·k/N)` for the separation of bin k.
  private let separation: [UnitRoot]

  /// One pass over the data: `length / radix` groups of butterflies, repeated `stride` times.
  private struct Pass: Sendable {
    let radix: Int
    let length: Int
    let stride: Int
    /// `exp(-2πi·p·j/length)` at `p * radix + j`.
    let twiddles: [UnitRoot]
  }

  /// - Parameter size: an even number whose half has no prime factors but 2 and 5.
  init(size: Int) {
    precondition(size > 0 && size % 2 == 0, "a real transform needs an even size, not \(size)")
    self.size = size
    var passes: [Pass] = []
    var length = size / 2
    var stride = 1
    while length > 1 {
      guard let radix = [4, 2, 5].first(where: { length % $0 == 0 }) else {
        preconditionFailure("half of the size \(size) has a prime factor other than 2 and 5")
      }
      let twiddles = (0..<length).map { UnitRoot(($0 / radix) * ($0 % radix), of: length) }
      passes.append(Pass(radix: radix, length: length, stride: stride, twiddles: twiddles))
      length /= radix
      stride *= radix
    }
    self.passes = passes
    separation = (0...size / 2).map { UnitRoot($0, of: size) }
  }

  /// The squared magnitudes of the bins.
  ///
  /// - Parameters:
  ///   - signal: N / 2 complex numbers, `x[2n] + i·x[2n+1]`; overwritten.
  ///   - scratch: room for N / 2 more.
  ///   - power: receives N / 2 + 1 values.
  func power(
    of signal: UnsafeMutablePointer<ComplexLanes>, scratch: UnsafeMutablePointer<ComplexLanes>,
    into power: UnsafeMutablePointer<Lanes>
  ) {
    var from = signal
    var to = scratch
    for pass in passes {
      run(pass, from: from, to: to)
      swap(&from, &to)
    }
    let half = size / 2
    for k in 0...half {
      let a = from[k == half ? 0 : k]
      let b = from[k == 0 ? 0 : half - k].conjugate
      let even = a + b
      let odd = (a - b).timesMinusI * separation[k]
      let bin = even + odd  // twice the bin
      power[k] = 0.25 * (bin.real * bin.real + bin.imaginary * bin.imaginary)
    }
  }

  private func run(
    _ pass: Pass, from x: UnsafeMutablePointer<ComplexLanes>, to y: UnsafeMutablePointer<ComplexLanes>
  ) {
    let groups = pass.length / pass.radix
    let stride = pass.stride
    let step = groups * stride
    pass.twiddles.withUnsafeBufferPointer { twiddles in
      for p in 0..<groups {
        let w = twiddles.baseAddress! + p * pass.radix
        for q in 0..<stride {
          let input = x + q + stride * p
          let output = y + q + stride * pass.radix * p
          switch pass.radix {
          case 2: butterfly2(input, step, output, stride, w)
          case 4: butterfly4(input, step, output, stride, w)
          default: butterfly5(input, step, output, stride, w)
          }
        }
      }
    }
  }
}

// A butterfly is a transform of length r over `x[0], x[step], …`, whose outputs are turned by the twiddle
// factors and written to `y[0], y[stride], …`.

@inline(__always)
private func butterfly2(
  _ x: UnsafeMutablePointer<ComplexLanes>, _ step: Int,
  _ y: UnsafeMutablePointer<ComplexLanes>, _ stride: Int, _ w: UnsafePointer<UnitRoot>
) {
  let a = x[0]
  let b = x[step]
  y[0] = a + b
  y[stride] = (a - b) * w[1]
}

@inline(__always)
private func butterfly4(
  _ x: UnsafeMutablePointer<ComplexLanes>, _ step: Int,
  _ y: UnsafeMutablePointer<ComplexLanes>, _ stride: Int, _ w: UnsafePointer<UnitRoot>
) {
  let a = x[0] + x[2 * step]
  let b = x[0] - x[2 * step]
  let c = x[step] + x[3 * step]
  let d = (x[step] - x[3 * step]).timesMinusI
  y[0] = a + c
  y[stride] = (b + d) * w[1]
  y[2 * stride] = (a - c) * w[2]
  y[3 * stride] = (b - d) * w[3]
}

@inline(__always)
private func butterfly5(
  _ x: UnsafeMutablePointer<ComplexLanes>, _ step: Int,
  _ y: UnsafeMutablePointer<ComplexLanes>, _ stride: Int, _ w: UnsafePointer<UnitRoot>
) {
  // cos and sin of 2π/5 and 4π/5.
  let c1 = 0.309_016_994_374_947_424_1
  let s1 = 0.951_056_516_295_153_572_1
  let c2 = -0.809_016_994_374_947_424_1
  let s2 = 0.587_785_252_292_473_129_2
  let x0 = x[0]
  let sum14 = x[step] + x[4 * step]
  let difference14 = x[step] - x[4 * step]
  let sum23 = x[2 * step] + x[3 * step]
  let difference23 = x[2 * step] - x[3 * step]
  let even1 = x0 + c1 * sum14 + c2 * sum23
  let even2 = x0 + c2 * sum14 + c1 * sum23
  let odd1 = (s1 * difference14 + s2 * difference23).timesMinusI
  let odd2 = (s2 * difference14 - s1 * difference23).timesMinusI
  y[0] = x0 + sum14 + sum23
  y[stride] = (even1 + odd1) * w[1]
  y[2 * stride] = (even2 + odd2) * w[2]
  y[3 * stride] = (even2 - odd2) * w[3]
  y[4 * stride] = (even1 - odd1) * w[4]
}
