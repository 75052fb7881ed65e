import CKernels
import Foundation
import TensorCore
import Testing

@Suite("Kernels: log-mel features") struct FeatureKernelTests {
  @Test("energies, and their sums, are what a loop gives", arguments: kernelShapes) func energies(
    N: Int, D: Int
  ) {
    let x = Floats(random: N * D, 1, in: -20...20), y = Floats(random: N * D, 2, in: -20...20)
    let energy = kernel_energy(N * D, 0.5, x.start)
    let expected = (0..<N * D).reduce(0) { $0 + exp(0.5 * x[$1]) }
    #expect(abs(energy - expected) < 2e-6 * expected)

    let sum = y.copy()
    kernel_add_energies(N * D, 2, 3, x.start, sum.start)
    expect(sum, "sum of energies", tolerance: 5e-7) { 2 * log(exp(y[$0] / 2) + exp((x[$0] + 3) / 2)) }
  }

  @Test("what is far below another energy leaves it as it is, and equal ones add 3 dB") func extremes() {
    let x = Floats([-1_000, 1, 1_000, -3.4e38, 80, 5]), y = Floats([1, -1_000, -1_000, 12, 80, 5])
    kernel_add_energies(6, 1, 0, x.start, y.start)
    expect(y, "extremes", tolerance: 1e-6) { [1, 1, 1_000, 12, 80 + log(2.0), 5 + log(2.0)][$0] }
    #expect(Array(y.values[..<4]) == [1, 1, 1_000, 12])
  }

  @Test("a shift has a floor; a blend lies between, also in place", arguments: kernelShapes)
  func shifts(N: Int, D: Int) {
    let x = Floats(random: N * D, 1), y = Floats(random: N * D, 2), shifted = x.copy()
    kernel_shift(N * D, -0.5, -1, shifted.start)
    expect(shifted, "shift") { max(-1, x[$0] - 0.5) }
    let first = x.copy(), second = y.copy(), apart = Floats(count: N * D)
    let expected = { (i: Int) in x[i] + 0.3 * (y[i] - x[i]) }
    kernel_blend(N * D, 0.3, x.start, y.start, apart.start)
    kernel_blend(N * D, 0.3, first.start, y.start, first.start)
    kernel_blend(N * D, 0.3, x.start, second.start, second.start)
    for (result, name) in [(apart, "blend"), (first, "blend into a"), (second, "blend into b")] {
      expect(result, name, is: expected)
    }
  }

  @Test("bands are taken from between bands, or from nowhere", arguments: kernelShapes)
  func bands(N: Int, D: Int) {
    let x = Floats(random: N * D, 1), y = Floats(count: N * D)
    let places = (0..<D).map { band -> (place: Double, shift: Double)? in
      band % 5 == 4 ? nil : (Double(band * 13 % (10 * D)) / 10, Double(band) / 100)
    }
    BandMap(places)(
      Matrix(x.start, rows: N, columns: D), into: Matrix(y.start, rows: N, columns: D), floor: -1.5)
    expect(y, "bands") { i in
      guard let (place, shift) = places[i % D] else { return -1.5 }
      let clamped = min(place, Double(D - 1)), whole = Int(clamped), row = i / D * D
      let next = min(whole + 1, D - 1), weight = clamped - Double(whole)
      return max(-1.5, x[row + whole] * (1 - weight) + x[row + next] * weight + shift)
    }
  }
}
