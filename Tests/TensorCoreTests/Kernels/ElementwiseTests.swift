import CKernels
import TensorCore
import Testing

@Suite("Kernels: element by element") struct ElementwiseTests {
  @Test("sums and multiples are what a loop gives, also in place", arguments: kernelShapes) func additions(
    N: Int, D: Int
  ) {
    let count = N * D
    let x = Floats(random: count, 1), y = Floats(random: count, 2)
    let sum = y.copy()
    kernel_add(count, x.start, sum.start)
    expect(sum, "add", tolerance: 1e-7) { Double(Float(x[$0]) + Float(y[$0])) }
    let scaled = Floats(count: count)
    kernel_scale(count, 1.7, x.start, scaled.start)
    expect(scaled, "scale") { Double(1.7 as Float) * x[$0] }
    let inPlace = x.copy()
    kernel_scale(count, 1.7, inPlace.start, inPlace.start)
    #expect(inPlace.values == scaled.values)
  }

  @Test("dropout keeps and scales what its mask says, also in place", arguments: kernelShapes) func dropout(
    N: Int, D: Int
  ) {
    let x = Floats(random: N * D, 1), y = Floats(count: N * D)
    let keep = keepMask(N * D)
    kernel_dropout(N * D, x.start, keep, 1.25, y.start)
    expect(y, "dropout") { x[$0] * Double(keep[$0]) * 1.25 }
    let inPlace = x.copy()
    kernel_dropout(N * D, inPlace.start, keep, 1.25, inPlace.start)
    #expect(inPlace.values == y.values)
  }

  @Test("a bias is added to every row, and column sums are added to what was there", arguments: kernelShapes)
  func biasesAndSums(N: Int, D: Int) {
    let x = Floats(random: N * D, 1), bias = Floats(random: D, 2)
    let y = x.copy()
    kernel_add_bias(N, D, bias.start, y.start)
    expect(y, "add_bias") { x[$0] + bias[$0 % D] }
    let sums = bias.copy()
    kernel_column_sums(N, D, x.start, sums.start)
    expect(sums, "column_sums", tolerance: 1e-5) { column in
      (0..<N).reduce(bias[column]) { $0 + x[$1 * D + column] }
    }
  }
}
