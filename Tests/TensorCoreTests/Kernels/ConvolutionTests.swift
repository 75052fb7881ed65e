import CKernels
import TensorCore
import Testing

@Suite("Kernels: convolution and pooling") struct ConvolutionTests {
  @Test(
    "a depthwise convolution of any odd width, and its weights' gradient, are what a loop gives",
    arguments: kernelShapes) func depthwise(T: Int, D: Int)
  {
    for K in [1, 3, 7, 31] {
      let x = Floats(random: T * D, 1), weight = Floats(random: K * D, 2), bias = Floats(random: D, 3)
      let at = { (t: Int, c: Int) in (0..<T).contains(t) ? x[t * D + c] : 0 }
      let padded = Floats(count: (T + K - 1) * D)
      for hasBias in [true, false] {
        let y = Floats(count: T * D)
        kernel_depthwise(
          T, D, K, x.start, weight.start, hasBias ? bias.start : nil, padded.start, y.start)
        expect(y, "depthwise, K \(K)", tolerance: 1e-5) { i in
          let t = i / D, c = i % D
          return (0..<K).reduce(hasBias ? bias[c] : 0) { $0 + weight[$1 * D + c] * at(t + $1 - K / 2, c) }
        }
      }
      expect(padded, "padded", tolerance: 0) { at($0 / D - K / 2, $0 % D) }
      let dy = Floats(random: T * D, 4), dweight = weight.copy()
      kernel_depthwise_weight_gradient(T, D, K, x.start, dy.start, padded.start, dweight.start)
      expect(dweight, "depthwise weight gradient, K \(K)", tolerance: 1e-5) { i in
        let k = i / D, c = i % D
        return (0..<T).reduce(weight[i]) { $0 + dy[$1 * D + c] * at($1 + k - K / 2, c) }
      }
    }
  }

  @Test(
    "windows of three rows have zeros beyond the ends, and their gradient adds up where they overlap",
    arguments: kernelShapes) func windows(T: Int, D: Int)
  {
    let x = Floats(random: T * D, 1), windows = Floats(count: 3 * T * D)
    kernel_windows3(T, D, x.start, windows.start)
    expect(windows, "windows3", tolerance: 0) { i in
      let t = i / (3 * D) + i % (3 * D) / D - 1
      return (0..<T).contains(t) ? x[t * D + i % D] : 0
    }
    let dwindows = Floats(random: 3 * T * D, 2), dx = Floats(count: T * D)
    kernel_windows3_backward(T, D, dwindows.start, dx.start)
    expect(dx, "windows3 backward") { i in
      let t = i / D
      return (0..<3).reduce(0.0) { sum, part in
        let row = t + 1 - part
        return (0..<T).contains(row) ? sum + dwindows[(row * 3 + part) * D + i % D] : sum
      }
    }
  }

  @Test("a transposed matrix has every element in its place", arguments: kernelShapes) func transpose(
    R: Int, C: Int
  ) {
    let x = Floats(random: R * C, 1), y = Floats(count: R * C)
    kernel_transpose(R, C, x.start, y.start)
    expect(y, "transpose", tolerance: 0) { x[$0 % R * C + $0 / R] }
  }

  @Test(
    "mean and weighted sums over the frames of each sample, and their gradients, are what a loop gives",
    arguments: kernelShapes, [1, 3]) func pooling(shape: (N: Int, D: Int), B: Int)
  {
    let (T, D) = shape
    let x = Floats(random: B * T * D, 1), mean = Floats(count: B * D)
    kernel_mean_rows(B, T, D, x.start, mean.start)
    expect(mean, "mean", tolerance: 1e-5) { i in
      (0..<T).reduce(0.0) { $0 + x[(i / D * T + $1) * D + i % D] } / Double(T)
    }
    let dmean = Floats(random: B * D, 2), dx = Floats(count: B * T * D)
    kernel_mean_rows_backward(B, T, D, dmean.start, dx.start)
    expect(dx, "mean backward") { dmean[$0 / (T * D) * D + $0 % D] / Double(T) }

    let weights = Floats(random: B * T, 3), sums = Floats(count: B * D), dweights = Floats(count: B * T)
    kernel_weighted_rows(B, T, D, weights.start, x.start, sums.start)
    expect(sums, "weighted rows", tolerance: 1e-5) { i in
      (0..<T).reduce(0.0) { $0 + weights[i / D * T + $1] * x[(i / D * T + $1) * D + i % D] }
    }
    kernel_weighted_rows_backward(
      B, T, D, weights.start, x.start, dmean.start, dweights.start, dx.start)
    expect(dweights, "weights gradient", tolerance: 5e-6) { i in
      (0..<D).reduce(0.0) { $0 + x[i * D + $1] * dmean[i / T * D + $1] }
    }
    expect(dx, "weighted rows backward") { weights[$0 / D] * dmean[$0 / (T * D) * D + $0 % D] }
  }

  @Test("a step of AdamW updates moments and parameters as its formula says", arguments: kernelShapes)
  func adamW(N: Int, D: Int) {
    let count = N * D
    let gradient = Floats(random: count, 1), moment = Floats(random: count, 2, in: -0.1...0.1)
    let variance = Floats(random: count, 3, in: 0...0.1), parameter = Floats(random: count, 4)
    let (m, v, p) = (moment.copy(), variance.copy(), parameter.copy())
    kernel_adamw(
      count, 1e-3, 0.01, 0.9, 0.999, 1e-8, 0.271, 0.0547, gradient.start, m.start, v.start, p.start)
    let m1 = { (i: Int) in 0.9 * moment[i] + 0.1 * gradient[i] }
    let v1 = { (i: Int) in 0.999 * variance[i] + 0.001 * gradient[i] * gradient[i] }
    expect(m, "exp_avg", is: m1)
    expect(v, "exp_avg_sq", is: v1)
    expect(p, "parameter") { i in
      parameter[i] * (1 - 1e-3 * 0.01) - 1e-3 / 0.271 * m1(i) / (v1(i).squareRoot() / 0.0547 + 1e-8)
    }
  }
}
