import CKernels
import TensorCore
import Testing

@Suite("Kernels: normalization") struct NormalizationTests {
  static let epsilon: Float = 1e-5

  /// A row's normalised form, and one over its standard deviation.
  private func normalized(_ row: [Double]) -> (xhat: [Double], rstd: Double) {
    let mean = row.reduce(0, +) / Double(row.count)
    let variance = row.reduce(0.0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
    let rstd = 1 / (variance + Double(Self.epsilon)).squareRoot()
    return (row.map { ($0 - mean) * rstd }, rstd)
  }

  @Test(
    "LayerNorm and its gradients are what a loop gives, also in place and computed once more",
    arguments: kernelShapes) func layerNorm(N: Int, D: Int)
  {
    let x = Floats(random: N * D, 1), gamma = Floats(random: D, 2), beta = Floats(random: D, 3)
    let y = Floats(count: N * D), xhat = Floats(count: N * D), rstd = Floats(count: N)
    kernel_norm(N, D, x.start, gamma.start, beta.start, Self.epsilon, y.start, xhat.start, rstd.start)
    let rows = (0..<N).map { n in normalized((0..<D).map { x[n * D + $0] }) }
    expect(xhat, "xhat", tolerance: 5e-6) { rows[$0 / D].xhat[$0 % D] }
    expect(rstd, "rstd", tolerance: 5e-6) { rows[$0].rstd }
    expect(y, "norm", tolerance: 5e-6) { rows[$0 / D].xhat[$0 % D] * gamma[$0 % D] + beta[$0 % D] }
    let again = Floats(count: N * D)
    kernel_scale_shift(N, D, gamma.start, beta.start, xhat.start, again.start)
    #expect(again.values == y.values, "the output once more")
    let inPlace = x.copy()
    kernel_norm(
      N, D, inPlace.start, gamma.start, beta.start, Self.epsilon, inPlace.start, xhat.start, rstd.start)
    #expect(inPlace.values == y.values, "in place")
    backward(N, D, xhat, rstd, gamma)
  }

  private func backward(_ N: Int, _ D: Int, _ xhat: Floats, _ rstd: Floats, _ gamma: Floats) {
    let dy = Floats(random: N * D, 4), dx = dy.copy()
    let dgamma = Floats(random: D, 5), dbeta = Floats(random: D, 6)
    let gammaBefore = dgamma.copy(), betaBefore = dbeta.copy()
    kernel_norm_backward(
      N, D, xhat.start, rstd.start, gamma.start, dy.start, dx.start, dgamma.start, dbeta.start)
    // With one column the gradient is nothing but rounding errors, of numbers as large as 1 / √epsilon.
    expect(dx, "norm backward", tolerance: D == 1 ? 1 : 5e-6) { i in
      let row = i / D * D..<i / D * D + D
      let mean = row.reduce(0.0) { $0 + dy[$1] * gamma[$1 % D] } / Double(D)
      let dot = row.reduce(0.0) { $0 + dy[$1] * gamma[$1 % D] * xhat[$1] } / Double(D)
      return rstd[i / D] * (dy[i] * gamma[i % D] - mean - xhat[i] * dot)
    }
    expect(dgamma, "dgamma", tolerance: 1e-5) { c in
      (0..<N).reduce(gammaBefore[c]) { $0 + dy[$1 * D + c] * xhat[$1 * D + c] }
    }
    expect(dbeta, "dbeta", tolerance: 1e-5) { c in (0..<N).reduce(betaBefore[c]) { $0 + dy[$1 * D + c] } }
    let inPlace = dy.copy()
    kernel_norm_backward(
      N, D, xhat.start, rstd.start, gamma.start, inPlace.start, inPlace.start, gammaBefore.start,
      betaBefore.start)
    #expect(inPlace.values == dx.values)
  }

  @Test("a large mean does not cancel the variance") func largeMean() {
    let x = Floats((0..<80).map { 1000 + Float($0 % 5) })
    let one = Floats([Float](repeating: 1, count: 80)), zero = Floats([Float](repeating: 0, count: 80))
    let y = Floats(count: 80), xhat = Floats(count: 80), rstd = Floats(count: 1)
    kernel_norm(1, 80, x.start, one.start, zero.start, Self.epsilon, y.start, xhat.start, rstd.start)
    let row = normalized((0..<80).map { x[$0] })
    expect(y, "norm", tolerance: 1e-4) { row.xhat[$0] }
  }

  @Test(
    "a residual branch with bias and dropout is added and normalized as a loop does it, and so is its gradient",
    arguments: kernelShapes) func residuals(N: Int, D: Int)
  {
    let x = Floats(random: N * D, 1), branch = Floats(random: N * D, 2), bias = Floats(random: D, 3)
    let gamma = Floats(random: D, 4), beta = Floats(random: D, 5)
    for keep in [nil, keepMask(N * D)] {
      let factor = { (i: Int) in keep.map { Double($0[i]) * 1.25 } ?? 1 }
      let added = { (i: Int) in (branch[i] + bias[i % D]) * factor(i) }
      let y = Floats(count: N * D), xhat = branch.copy(), rstd = Floats(count: N)
      kernel_residual_norm(
        N, D, x.start, xhat.start, bias.start, keep, 1.25, gamma.start, beta.start, Self.epsilon, y.start,
        xhat.start, rstd.start)
      let rows = (0..<N).map { n in normalized((n * D..<(n + 1) * D).map { x[$0] + added($0) }) }
      expect(xhat, "xhat", tolerance: 1e-5) { rows[$0 / D].xhat[$0 % D] }
      expect(y, "residual norm", tolerance: 1e-5) {
        rows[$0 / D].xhat[$0 % D] * gamma[$0 % D] + beta[$0 % D]
      }
      let sum = x.copy()
      kernel_add_branch(N, D, branch.start, bias.start, keep, 1.25, 0.5, sum.start)
      expect(sum, "branch added") { x[$0] + 0.5 * added($0) }

      let dx = Floats(count: N * D), dbias = bias.copy()
      kernel_bias_dropout_backward(N, D, keep, 1.25, x.start, dx.start, dbias.start)
      // Without a mask the factor still counts: a half-step has one.
      let slope = { (i: Int) in (keep.map { Double($0[i]) } ?? 1) * 1.25 }
      expect(dx, "branch gradient") { x[$0] * slope($0) }
      expect(dbias, "bias gradient", tolerance: 1e-5) { c in
        (0..<N).reduce(bias[c]) { $0 + x[$1 * D + c] * slope($1 * D + c) }
      }
    }
  }

  @Test("rows scaled to length one, and their gradient, are what a loop gives", arguments: kernelShapes)
  func unitRows(N: Int, D: Int) {
    let x = Floats(random: N * D, 1), dy = Floats(random: N * D, 2)
    let y = Floats(count: N * D), lengths = Floats(count: N)
    kernel_normalize_rows(N, D, x.start, y.start, lengths.start)
    let length = (0..<N).map { n in
      (0..<D).reduce(0.0) { $0 + x[n * D + $1] * x[n * D + $1] }.squareRoot()
    }
    expect(lengths, "lengths") { length[$0] }
    expect(y, "unit rows") { x[$0] / length[$0 / D] }
    let expected = { (i: Int) in
      let n = i / D
      let dot = (n * D..<(n + 1) * D).reduce(0.0) { $0 + dy[$1] * y[$1] }
      return (dy[i] - y[i] * dot) / length[n]
    }
    // With one column the gradient is nothing but rounding errors.
    let tolerance = D == 1 ? 1 : 5e-6
    let dx = dy.copy(), sum = Floats(random: N * D, 3), before = sum.copy()
    kernel_normalize_rows_backward(N, D, y.start, lengths.start, dx.start, 0, dx.start)
    expect(dx, "unit rows backward", tolerance: tolerance, is: expected)
    kernel_normalize_rows_backward(N, D, y.start, lengths.start, dy.start, 1, sum.start)
    expect(sum, "unit rows backward, added", tolerance: tolerance) { before[$0] + expected($0) }
  }

  @Test("a row of zeros stays one") func zeros() {
    let x = Floats([0, 0, 0]), y = Floats(count: 3), length = Floats(count: 1)
    kernel_normalize_rows(1, 3, x.start, y.start, length.start)
    #expect(y.values == [0, 0, 0] && length.values == [1e-12])
  }

  @Test("BatchNorm's sums, output and gradients are what a loop gives", arguments: kernelShapes)
  func batchNorm(N: Int, D: Int) {
    let x = Floats(random: N * D, 1), mean = Floats(random: D, 2), rstd = Floats(random: D, 3, in: 0.5...3)
    let gamma = Floats(random: D, 4), beta = Floats(random: D, 5)
    let squares = beta.copy()
    kernel_column_squares(N, D, mean.start, x.start, squares.start)
    expect(squares, "column_squares", tolerance: 1e-5) { c in
      (0..<N).reduce(beta[c]) { $0 + (x[$1 * D + c] - mean[c]) * (x[$1 * D + c] - mean[c]) }
    }
    let xhat = x.copy(), y = Floats(count: N * D)
    kernel_batch_norm(
      N, D, mean.start, rstd.start, gamma.start, beta.start, xhat.start, xhat.start, y.start)
    expect(xhat, "xhat") { (x[$0] - mean[$0 % D]) * rstd[$0 % D] }
    expect(y, "batch norm") {
      (x[$0] - mean[$0 % D]) * rstd[$0 % D] * gamma[$0 % D] + beta[$0 % D]
    }
    let dy = Floats(random: N * D, 6), dgamma = gamma.copy(), dbeta = beta.copy()
    kernel_batch_norm_sums(N, D, xhat.start, dy.start, dgamma.start, dbeta.start)
    expect(dgamma, "Σ dy ∘ xhat", tolerance: 1e-5) { c in
      (0..<N).reduce(gamma[c]) { $0 + dy[$1 * D + c] * xhat[$1 * D + c] }
    }
    expect(dbeta, "Σ dy", tolerance: 1e-5) { c in (0..<N).reduce(beta[c]) { $0 + dy[$1 * D + c] } }
    let dx = dy.copy()
    kernel_batch_norm_backward(
      N, D, xhat.start, rstd.start, gamma.start, mean.start, beta.start, dx.start, dx.start)
    expect(dx, "batch norm backward") { i in
      let c = i % D
      return gamma[c] * rstd[c] * (dy[i] - mean[c] - xhat[i] * beta[c])
    }
  }
}
