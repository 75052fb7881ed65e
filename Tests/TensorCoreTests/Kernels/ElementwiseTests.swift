import CKernels
import TensorCore
import Testing

@Suite("Kernels: element by element") struct ElementwiseTests {
  @Test(arguments: kernelShapes) func additions(N: Int, D: Int) {
    let count = N * D
    let x = Floats(random: count, 1), y = Floats(random: count, 2)
    let sum = y.copy()
    kernel_add(count, x.start, sum.start)
    expect(sum, "add", tolerance: 1e-7) { Double(Float(x[$0]) + Float(y[$0])) }
    let other = Floats(count: count)
    kernel_sum(count, x.start, y.start, other.start)
    #expect(other.values == sum.values)
    let inPlace = x.copy()
    kernel_sum(count, inPlace.start, y.start, inPlace.start)
    #expect(inPlace.values == sum.values)
    let scaled = y.copy()
    kernel_add_scaled(count, -0.3, x.start, scaled.start)
    expect(scaled, "add_scaled") { y[$0] - Double(0.3 as Float) * x[$0] }
    kernel_scale(count, 1.7, scaled.start, scaled.start)
    expect(scaled, "scale") { Double(1.7 as Float) * (y[$0] - Double(0.3 as Float) * x[$0]) }
  }

  @Test(arguments: kernelShapes) func dropout(N: Int, D: Int) {
    let x = Floats(random: N * D, 1), y = Floats(count: N * D)
    let keep = keepMask(N * D)
    kernel_dropout(N * D, x.start, keep, 1.25, y.start)
    expect(y, "dropout") { x[$0] * Double(keep[$0]) * 1.25 }
    let inPlace = x.copy()
    kernel_dropout(N * D, inPlace.start, keep, 1.25, inPlace.start)
    #expect(inPlace.values == y.values)
  }

  @Test(arguments: kernelShapes) func biasesAndSums(N: Int, D: Int) {
    let x = Floats(random: N * D, 1), bias = Floats(random: D, 2)
    let y = x.copy()
    kernel_add_bias(N, D, bias.start, y.start)
    expect(y, "add_bias") { x[$0] + bias[$0 % D] }
    let sums = bias.copy()
    kernel_column_sums(N, D, x.start, sums.start)
    expect(sums, "column_sums", tolerance: 1e-5) { column in
      (0..<N).reduce(bias[column]) { $0 + x[$1 * D + column] }
    }
    let squares = (0..<N * D).reduce(0.0) { $0 + x[$1] * x[$1] }
    #expect(abs(kernel_squared_norm(N * D, x.start) - squares) <= 1e-12 * squares)
  }

  @Test(arguments: kernelShapes) func finiteness(N: Int, D: Int) {
    let count = N * D
    let x = Floats(random: count, 1, in: -1e30...1e30)
    #expect(kernel_all_finite(count, x.start) == 1)
    for bad in [Float.nan, -.nan, .signalingNaN, .infinity, -.infinity] {
      for place in [0, count / 2, count - 1] {
        let y = x.copy()
        y.start[place] = bad
        #expect(kernel_all_finite(count, y.start) == 0, "\(bad) at \(place) of \(count)")
      }
    }
    for good in [Float.greatestFiniteMagnitude, .leastNonzeroMagnitude, 0, -0.0] {
      x.start[count - 1] = good
      #expect(kernel_all_finite(count, x.start) == 1)
    }
    #expect(kernel_all_finite(0, x.start) == 1)
  }
}
