import CKernels
import TensorCore
import Testing

@Suite("Kernels: activations") struct ActivationTests {
  @Test("bias, ReLU and dropout, and their gradients, are what a loop gives", arguments: kernelShapes)
  func relu(N: Int, D: Int) {
    let x = Floats(random: N * D, 1), bias = Floats(random: D, 2), dy = Floats(random: N * D, 3)
    let keep = keepMask(N * D)
    let plain = x.copy(), dropped = x.copy()
    kernel_bias_relu_dropout(N, D, bias.start, nil, 7, plain.start)
    expect(plain, "relu") { max(0, x[$0] + bias[$0 % D]) }
    kernel_bias_relu_dropout(N, D, bias.start, keep, 1.25, dropped.start)
    expect(dropped, "relu, dropout") { max(0, x[$0] + bias[$0 % D]) * Double(keep[$0]) * 1.25 }

    let dx = dy.copy(), dbias = Floats(random: D, 4), before = dbias.copy()
    kernel_relu_dropout_backward(N, D, dropped.start, 1.25, dx.start, dx.start, dbias.start)
    let expected = { (i: Int) in x[i] + bias[i % D] > 0 ? dy[i] * Double(keep[i]) * 1.25 : 0 }
    expect(dx, "relu backward", is: expected)
    expectColumnSums(dbias, before, N, D, expected)
  }

  @Test(
    "SiLU, with and without bias and dropout, and its gradients are what a loop gives",
    arguments: kernelShapes) func silu(N: Int, D: Int)
  {
    let x = Floats(random: N * D, 1, in: -9...9), bias = Floats(random: D, 2), dy = Floats(random: N * D, 3)
    let keep = keepMask(N * D)
    let shifted = { (i: Int) in Double(Float(x[i]) + Float(bias[i % D])) }
    for keep in [nil, keep] {
      let factor = { (i: Int) in keep.map { Double($0[i]) * 1.25 } ?? 1 }
      let kept = x.copy(), y = Floats(count: N * D)
      kernel_bias_silu_dropout(N, D, bias.start, keep, 1.25, kept.start, y.start)
      expect(kept, "pre-activation") { shifted($0) }
      expect(y, "silu") { shifted($0) * sigmoid(shifted($0)) * factor($0) }

      let dx = dy.copy(), again = Floats(count: N * D)
      let dbias = Floats(random: D, 4), before = dbias.copy()
      kernel_silu_dropout_backward(
        N, D, kept.start, keep, 1.25, dx.start, dx.start, again.start, dbias.start)
      expect(again, "silu once more") { shifted($0) * sigmoid(shifted($0)) * factor($0) }
      let expected = { (i: Int) in
        let s = sigmoid(shifted(i))
        return dy[i] * factor(i) * s * (1 + shifted(i) * (1 - s))
      }
      expect(dx, "silu backward", is: expected)
      expectColumnSums(dbias, before, N, D, expected)
    }
    let y = x.copy(), again = x.copy(), dx = dy.copy()
    kernel_silu(N * D, y.start)
    expect(y, "silu") { x[$0] * sigmoid(x[$0]) }
    kernel_silu_backward(N * D, again.start, dx.start, dx.start)
    expect(again, "silu once more") { x[$0] * sigmoid(x[$0]) }
    expect(dx, "silu backward") { dy[$0] * sigmoid(x[$0]) * (1 + x[$0] * (1 - sigmoid(x[$0]))) }
  }

  @Test(
    "the gated linear unit, with and without a bias, and its gradients are what a loop gives",
    arguments: kernelShapes) func gatedLinearUnit(N: Int, D: Int)
  {
    let x = Floats(random: 2 * N * D, 1), bias = Floats(random: 2 * D, 2), dy = Floats(random: N * D, 3)
    for hasBias in [true, false] {
      let kept = x.copy(), y = Floats(count: N * D)
      kernel_bias_glu(N, D, hasBias ? bias.start : nil, kept.start, y.start)
      let part = { (n: Int, column: Int) in
        Double(Float(x[n * 2 * D + column]) + (hasBias ? Float(bias[column]) : 0))
      }
      expect(kept, "glu keeps its bias") { part($0 / (2 * D), $0 % (2 * D)) }
      expect(y, "glu") { part($0 / D, $0 % D) * sigmoid(part($0 / D, D + $0 % D)) }

      let dx = Floats(count: 2 * N * D), again = dy.copy()
      let dbias = Floats(random: 2 * D, 4), before = dbias.copy()
      kernel_glu_backward(
        N, D, kept.start, again.start, dx.start, again.start, hasBias ? dbias.start : nil)
      expect(again, "glu once more") { part($0 / D, $0 % D) * sigmoid(part($0 / D, D + $0 % D)) }
      let expected = { (i: Int) in
        let n = i / (2 * D), column = i % (2 * D)
        let s = sigmoid(part(n, column < D ? column + D : column))
        return column < D
          ? dy[n * D + column] * s : dy[n * D + column - D] * part(n, column - D) * s * (1 - s)
      }
      expect(dx, "glu backward", is: expected)
      if hasBias { expectColumnSums(dbias, before, N, 2 * D, expected) }
    }
  }

  @Test(
    "sigmoid and tanh of a biased value, and their gradients, are what a loop gives", arguments: kernelShapes)
  func sigmoidAndTanh(N: Int, D: Int) {
    let x = Floats(random: N * D, 1, in: -6...6), bias = Floats(random: D, 2), dy = Floats(random: N * D, 3)
    let shifted = { (i: Int) in Double(Float(x[i]) + Float(bias[i % D])) }
    let s = x.copy(), t = x.copy()
    kernel_bias_sigmoid(N, D, bias.start, s.start)
    expect(s, "sigmoid") { sigmoid(shifted($0)) }
    kernel_bias_tanh(N, D, bias.start, t.start)
    expect(t, "tanh") { 2 * sigmoid(2 * shifted($0)) - 1 }
    for (name, y, slope) in [
      ("sigmoid", s, { y in y * (1 - y) }), ("tanh", t, { y in 1 - y * y }),
    ] as [(String, Floats, (Double) -> Double)] {
      let dx = dy.copy(), dbias = Floats(random: D, 4), before = dbias.copy()
      if name == "tanh" {
        kernel_tanh_backward(N, D, y.start, dx.start, dx.start, dbias.start)
      } else {
        kernel_sigmoid_backward(N, D, y.start, dx.start, dx.start, dbias.start)
      }
      expect(dx, "\(name) backward") { dy[$0] * slope(y[$0]) }
      expectColumnSums(dbias, before, N, D) { dy[$0] * slope(y[$0]) }
    }
  }

  /// Each value by itself: an error relative to the largest of a row would hide what happens near zero.
  @Test("sigmoid, tanh and SiLU are right to the last digits near zero and far from it")
  func extremeArguments() {
    let values: [Float] = [0, 1e-30, 1e-6, 1e-3, 0.1, 0.19, 0.2, 0.21, 1, 5, 20, 80, 88, 100, 1e10].flatMap {
      [$0, -$0]
    }
    let zero = Floats([0])
    for value in values {
      let s = Floats([value]), t = Floats([value]), u = Floats([value])
      kernel_bias_sigmoid(1, 1, zero.start, s.start)
      kernel_bias_tanh(1, 1, zero.start, t.start)
      kernel_silu(1, u.start)
      let x = Double(value)
      let tanh = x.magnitude < 1e-4 ? x : 2 * sigmoid(2 * x) - 1
      #expect(abs(s[0] - sigmoid(x)) <= 3e-7 * sigmoid(x) + 1e-37, "sigmoid \(value)")
      #expect(abs(t[0] - tanh) <= 2e-6 * abs(tanh), "tanh \(value)")
      #expect(abs(u[0] - x * sigmoid(x)) <= 3e-7 * abs(x * sigmoid(x)) + 1e-27, "silu \(value)")
    }
  }

  private func expectColumnSums(
    _ sums: Floats, _ before: Floats, _ N: Int, _ D: Int, _ value: (Int) -> Double
  ) {
    expect(sums, "bias gradient", tolerance: 1e-5) { column in
      (0..<N).reduce(before[column]) { $0 + value($1 * D + column) }
    }
  }
}
