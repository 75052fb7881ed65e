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
    let y_ND = pass.matrix(x_ND.rows, x_ND.columns)
    convolve(x_ND, into: y_ND, &pass)
    pass.save(x_ND)
    return y_ND
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let x_ND = pass.restore()
    parameterGradients(dy_ND, x_ND, &pass)
    return inputGradient(dy_ND, &pass)
  }

  /// The output for x; saves nothing.
  func convolve(_ x_ND: Matrix, into y_ND: Matrix, _ pass: inout Pass) {
    correlate(x_ND, transposedWeight(&pass), pass[bias].base, into: y_ND, &pass)
  }

  func inputGradient(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    // The gradient of a correlation is the correlation with the reversed filter.
    let weight_KD = transposedWeight(&pass), flipped_KD = pass.matrix(kernel, weight.rows)
    for k in 0..<kernel { flipped_KD.rows(k..<k + 1).copy(from: weight_KD.rows(kernel - 1 - k..<kernel - k)) }
    let dx_ND = pass.matrix(dy_ND.rows, dy_ND.columns)
    correlate(dy_ND, flipped_KD, nil, into: dx_ND, &pass)
    return dx_ND
  }

  func parameterGradients(_ dy_ND: Matrix, _ x_ND: Matrix, _ pass: inout Pass) {
    let T = pass.frames, D = dy_ND.columns
    pass.addBiasGradient(of: bias, from: dy_ND)
    let dweight_KD = pass.matrix(kernel, D), dweight_DK = pass.matrix(D, kernel)
    dweight_KD.clear()
    let padded = pass.matrix(T + kernel - 1, D)
    pass.clock.measure(.convolution) {
      for sample in 0..<pass.samples {
        kernel_depthwise_weight_gradient(
          T, D, kernel, x_ND.base + sample * T * D, dy_ND.base + sample * T * D, padded.base, dweight_KD.base)
      }
      kernel_transpose(kernel, D, dweight_KD.base, dweight_DK.base)
    }
    let gradient = pass.gradient(of: weight)
    if pass.isAccumulating { pass.add(dweight_DK, to: gradient) } else { gradient.copy(from: dweight_DK) }
  }

  private func correlate(
    _ x_ND: Matrix, _ weight_KD: Matrix, _ bias_D: UnsafePointer<Float>?, into y_ND: Matrix,
    _ pass: inout Pass
  ) {
    let T = pass.frames, D = x_ND.columns
    let padded = pass.matrix(T + kernel - 1, D)
    pass.clock.measure(.convolution) {
      for sample in 0..<pass.samples {
        kernel_depthwise(
          T, D, kernel, x_ND.base + sample * T * D, weight_KD.base, bias_D, padded.base,
          y_ND.base + sample * T * D)
      }
    }
  }

  /// Tap-major, so that neighbouring channels lie together as they do in the frames.
  private func transposedWeight(_ pass: inout Pass) -> Matrix {
    let weight_KD = pass.matrix(kernel, weight.rows)
    kernel_transpose(weight.rows, kernel, pass[weight].base, weight_KD.base)
    return weight_KD
  }
}
