import CKernels
import TensorCore
import Testing

@Suite("Kernels: softmax and cross entropy") struct SoftmaxTests {
  /// Softmax of one row in double precision.
  private func softmax(_ row: [Double]) -> [Double] {
    let largest = row.max()!
    let e = row.map { exponential($0 - largest) }
    let sum = e.reduce(0, +)
    return e.map { $0 / sum }
  }

  @Test(
    "softmax with a temperature and dropout, and its gradient, are what a loop gives", arguments: kernelShapes
  ) func rows(N: Int, D: Int) {
    let x = Floats(random: N * D, 1, in: -20...20), dy = Floats(random: N * D, 2)
    let temperature: Float = 0.37
    let keep = keepMask(N * D)
    let p = (0..<N).flatMap { n in softmax((0..<D).map { x[n * D + $0] * Double(temperature) }) }
    for keep in [nil, keep] {
      let factor = { (i: Int) in keep.map { Double($0[i]) * 1.25 } ?? 1 }
      let weights = x.copy(), dropped = Floats(count: N * D)
      kernel_softmax_dropout(N, D, temperature, keep, 1.25, weights.start, dropped.start)
      expect(weights, "softmax") { p[$0] }
      if keep == nil {
        #expect(dropped.values.allSatisfy { $0.isNaN }, "written without a mask")
      } else {
        expect(dropped, "softmax, dropout") { p[$0] * factor($0) }
      }
      for n in 0..<N {
        #expect(abs((0..<D).reduce(0.0) { $0 + weights[n * D + $1] } - 1) < 1e-5)
      }
      let dx = dy.copy()
      kernel_softmax_dropout_backward(N, D, temperature, keep, 1.25, weights.start, dx.start, dx.start)
      // With one column the gradient is nothing but rounding errors.
      expect(dx, "softmax backward", tolerance: D == 1 ? 1e-3 : 5e-6) { i in
        let row = i / D * D
        let dot = (row..<row + D).reduce(0.0) { $0 + dy[$1] * factor($1) * p[$1] }
        return Double(temperature) * (dy[i] * factor(i) - dot) * p[i]
      }
    }
  }

  @Test("softmax of scores near the end of the range neither overflows nor loses a row") func extremeScores()
  {
    // Shifted by its largest, a row cannot overflow; far below it, there is nothing left.
    let x = Floats([3e38, 3e38, -3e38, 1e4, 1e4 - 1, -1e4])
    kernel_softmax_dropout(2, 3, 1, nil, 1, x.start, nil)
    expect(x, "softmax") { [0.5, 0.5, 0, sigmoid(1), sigmoid(-1), 0][$0] }
    let one = Floats([-123])
    kernel_softmax_dropout(1, 1, 1, nil, 1, one.start, nil)
    #expect(one.values == [1])
  }

  @Test(
    "cross entropy, its gradient and the count of right answers are what a loop gives",
    arguments: kernelShapes) func crossEntropy(N: Int, C: Int)
  {
    let logits = Floats(random: N * C, 1, in: -15...15)
    let labels = (0..<N).map { Int32($0 * 7 % C) }
    let loss = Floats(count: N), gradient = Floats(count: N * C)
    var correct = [Int32](repeating: 9, count: N)
    let scale: Float = 1 / 32
    kernel_cross_entropy(N, C, logits.start, labels, scale, loss.start, &correct, gradient.start)
    let p = (0..<N).map { n in softmax((0..<C).map { logits[n * C + $0] }) }
    // The loss of a sample that is all but sure is a difference of numbers as large as the logits.
    for n in 0..<N { #expect(abs(loss[n] + logarithm(p[n][Int(labels[n])])) < 5e-6) }
    #expect(loss.isGuarded)
    expect(gradient, "cross entropy backward") { i in
      Double(scale) * (p[i / C][i % C] - (Int(labels[i / C]) == i % C ? 1 : 0))
    }
    for n in 0..<N {
      let row = (0..<C).map { logits[n * C + $0] }
      #expect(correct[n] == (row.firstIndex(of: row.max()!) == Int(labels[n]) ? 1 : 0))
    }
    let again = Floats(count: N)
    kernel_cross_entropy(N, C, logits.start, labels, scale, again.start, &correct, nil)
    #expect(again.values == loss.values)
  }

  @Test("of equal logits the first counts, as for torch.argmax") func ties() {
    let logits = Floats([1, 5, 5, 0, 2, 2, 2, 2])
    let loss = Floats(count: 2)
    for (labels, expected) in [([1, 0], [1, 1]), ([2, 3], [0, 0])] as [([Int32], [Int32])] {
      var correct: [Int32] = [9, 9]
      kernel_cross_entropy(2, 4, logits.start, labels, 1, loss.start, &correct, nil)
      #expect(correct == expected)
    }
  }

  @Test("not a number is passed on, so that the loss shows it") func notANumber() {
    let logits = Floats([1, .nan, 2]), loss = Floats(count: 1)
    var correct: [Int32] = [0]
    kernel_cross_entropy(1, 3, logits.start, [0], 1, loss.start, &correct, nil)
    #expect(!loss.values[0].isFinite)
  }
}
