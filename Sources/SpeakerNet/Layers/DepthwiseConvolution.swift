import CKernels
import TensorCore

/// Depthwise convolution over time: each channel by its own filter, "same" padding with zeros.
///
/// `y[t, c] = bias[c] + Σ_k weight[c, k] · x[t + k - K/2, c]`; PyTorch's `Conv1d(d, d, K, groups: d)` on [T, d].
package struct DepthwiseConvolution: Layer {
  /// [D, 1, K], a matrix [D, K], and [D].
  package let weight: Parameter, bias: Parameter
  let kernel: Int

  /// Registers `name.weight` and `name.bias`, drawn as `nn.Conv1d` draws them. `kernel` is odd.
  package init(_ name: String, width: Int, kernel: Int, in layout: inout ParameterLayout) {
    let bound = 1 / Float(kernel).squareRoot()
    weight = layout.add("\(name).weight", [width, 1, kernel], .uniform(bound: bound))
    bias = layout.add("\(name).bias", [width], .uniform(bound: bound))
    self.kernel = kernel
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let T = pass.frames, D = x_ND.columns
    let y_ND = pass.matrix(x_ND.rows, D)
    // One padded copy a sample, kept: the weight's gradient reads it.
    let padded = pass.matrix(pass.samples * (T + kernel - 1), D)
    let weight_KD = transposedWeight(&pass)
    pass.clock.measure(.convolution) {
      for sample in 0..<pass.samples {
        kernel_depthwise(
          T, D, kernel, x_ND.base + sample * T * D, weight_KD.base, pass[bias].base,
          padded.base + sample * (T + kernel - 1) * D, y_ND.base + sample * T * D)
      }
    }
    pass.save(padded)
    return y_ND
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let T = pass.frames, D = dy_ND.columns
    let padded = pass.restore()
    pass.addBiasGradient(of: bias, from: dy_ND)
    let dweight_KD = pass.matrix(kernel, D)
    dweight_KD.clear()
    let flipped_KD = pass.matrix(kernel, D)
    let weight_KD = transposedWeight(&pass)
    for k in 0..<kernel { flipped_KD.rows(k..<k + 1).copy(from: weight_KD.rows(kernel - 1 - k..<kernel - k)) }
    let dx_ND = pass.matrix(dy_ND.rows, D)
    let scratch = pass.matrix(T + kernel - 1, D)
    let dweight_DK = pass.matrix(D, kernel)
    pass.clock.measure(.convolution) {
      for sample in 0..<pass.samples {
        let dy = dy_ND.base + sample * T * D
        kernel_depthwise_weight_gradient(
          T, D, kernel, padded.base + sample * (T + kernel - 1) * D, dy, dweight_KD.base)
        // The gradient of a correlation is the correlation with the reversed filter.
        kernel_depthwise(T, D, kernel, dy, flipped_KD.base, nil, scratch.base, dx_ND.base + sample * T * D)
      }
      kernel_transpose(kernel, D, dweight_KD.base, dweight_DK.base)
    }
    let gradient = pass.gradient(of: weight)
    if pass.isAccumulating { pass.add(dweight_DK, to: gradient) } else { gradient.copy(from: dweight_DK) }
    return dx_ND
  }

  /// Tap-major, so that neighbouring channels lie together as they do in the frames.
  private func transposedWeight(_ pass: inout Pass) -> Matrix {
    let weight_KD = pass.matrix(kernel, weight.rows)
    kernel_transpose(weight.rows, kernel, pass[weight].base, weight_KD.base)
    return weight_KD
  }
}
