import CKernels
import Foundation
import TensorCore
import Testing

@Suite("Kernels: log-mel features") struct FeatureKernelTests {
  @Test("energies and their logarithms are what a loop gives", arguments: kernelShapes)
  func energies(N: Int, D: Int) {
    let x = Floats(random: N * D, 1, in: -40...40), y = Floats(random: N * D, 2, in: 0...9)
    let energies = Floats(count: N * D), inPlace = x.copy()
    let sum = kernel_energies(N * D, 0.5, x.start, energies.start)
    _ = kernel_energies(N * D, 0.5, inPlace.start, inPlace.start)
    let largest = (0..<N * D).map { exp(0.5 * x[$0]) }.max()!
    #expect(inPlace.values == energies.values)
    #expect((0..<N * D).allSatisfy { abs(energies[$0] / exp(0.5 * x[$0]) - 1) < 5e-7 })
    let expected = (0..<N * D).reduce(0) { $0 + exp(0.5 * x[$1]) }
    #expect(abs(sum - expected) < 2e-6 * max(expected, largest))

    let logarithms = Floats(count: N * D)
    kernel_logarithms(N * D, 2, energies.start, logarithms.start)
    expect(logarithms, "logarithms", tolerance: 3e-7) { x[$0] }
    let added = y.copy()
    kernel_add_scaled(N * D, -0.75, x.start, added.start)
    expect(added, "scaled sum") { y[$0] - 0.75 * x[$0] }
  }

  @Test("logarithms of all magnitudes are right; features beyond all sense stay finite") func extremes() {
    let values = (-120...120).flatMap { k in
      [1, 1.1892, 1.4142135, 1.4142137, 1.9999999].map { Float($0 * pow(2, Double(k))) }
    }
    let x = Floats(values), logarithms = Floats(count: values.count)
    kernel_logarithms(values.count, 1, x.start, logarithms.start)
    for (i, value) in values.enumerated() {
      #expect(abs(logarithms[i] - log(Double(value))) < 2e-7 * max(1, abs(log(Double(value)))), "\(value)")
    }
    let absurd = Floats([-3e38, -200, 200, 3e38]), energies = Floats(count: 4)
    #expect(kernel_energies(4, 1, absurd.start, energies.start).isFinite)
    #expect(energies.values.allSatisfy { $0 > 0 && $0 <= 6e34 })
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
