import TensorCore

/// Convolution of width 3 over time without bias, padded by a frame of zeros: `Conv1d(I, O, 3, padding: 1)`.
///
/// Each frame with its neighbours is a row of 3·I numbers, so the convolution is one product.
package struct Convolution3: Layer {
  /// [O, I, 3], a matrix [O, I·3].
  package let weight: Parameter
  private let inputs: Int

  /// Registers `name.weight`, drawn as `nn.Conv1d` draws it.
  package init(_ name: String, inputs: Int, outputs: Int, in layout: inout ParameterLayout) {
    weight = layout.add(
      "\(name).weight", [outputs, inputs, 3], .uniform(bound: 1 / Float(3 * inputs).squareRoot()))
    self.inputs = inputs
  }

  package func forward(_ x_NI: Matrix, _ pass: inout Pass) -> Matrix {
    let windows_N3I = pass.matrix(x_NI.rows, 3 * inputs)
    pass.windows3(x_NI, frames: pass.frames, into: windows_N3I)
    let y_NO = pass.matrix(x_NI.rows, weight.rows), weight_O3I = weight_O3I(&pass)
    pass.multiply(windows_N3I, transposed: weight_O3I, into: y_NO)
    pass.save(windows_N3I)
    return y_NO
  }

  package func backward(_ dy_NO: Matrix, _ pass: inout Pass) -> Matrix {
    let windows_N3I = pass.restore()
    let dweight_O3I = pass.matrix(weight.rows, 3 * inputs)
    pass.multiply(transposed: dy_NO, windows_N3I, into: dweight_O3I)
    let dweight_OI3 = pass.matrix(weight.rows, 3 * inputs)
    pass.transposeRows(dweight_O3I, as: 3, inputs, into: dweight_OI3)
    pass.store(dweight_OI3, asGradientOf: weight)
    let dwindows_N3I = pass.matrix(dy_NO.rows, 3 * inputs), weight_O3I = weight_O3I(&pass)
    pass.multiply(dy_NO, weight_O3I, into: dwindows_N3I)
    let dx_NI = pass.matrix(dy_NO.rows, inputs)
    pass.windows3Backward(dwindows_N3I, frames: pass.frames, into: dx_NI)
    return dx_NI
  }

  /// That of a linear layer over the windows.
  package func work(samples: Int, frames: Int) -> Work {
    Linear(weight: weight, bias: nil).work(samples: samples, frames: frames)
  }

  /// [O, I, 3] → [O, 3, I]: the order of a window's row.
  private func weight_O3I(_ pass: inout Pass) -> Matrix {
    let weight_O3I = pass.matrix(weight.rows, 3 * inputs)
    pass.transposeRows(pass[weight], as: inputs, 3, into: weight_O3I)
    return weight_O3I
  }
}

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

  /// K multiplications and additions an element; no products.
  package func work(samples: Int, frames: Int) -> Work {
    var work = Work()
    work.addForward(operations: 2 * samples * frames * weight.count)
    return work
  }

  /// The output for x; saves nothing.
  func convolve(_ x_ND: Matrix, into y_ND: Matrix, _ pass: inout Pass) {
    let weight_KD = weight_KD(&pass), padded = padded(&pass)
    pass.depthwiseConvolution(
      x_ND, weight_KD, pass[bias], frames: pass.frames, padded: padded, into: y_ND)
  }

  /// The gradient of a correlation is the correlation with the reversed filter.
  func inputGradient(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let weight_KD = weight_KD(&pass), flipped_KD = pass.matrix(kernel, weight.rows)
    for k in 0..<kernel { flipped_KD.rows(k..<k + 1).copy(from: weight_KD.rows(kernel - 1 - k..<kernel - k)) }
    let dx_ND = pass.matrix(dy_ND.rows, dy_ND.columns), padded = padded(&pass)
    pass.depthwiseConvolution(dy_ND, flipped_KD, nil, frames: pass.frames, padded: padded, into: dx_ND)
    return dx_ND
  }

  func parameterGradients(_ dy_ND: Matrix, _ x_ND: Matrix, _ pass: inout Pass) {
    pass.addBiasGradient(dy_ND, to: pass.gradient(of: bias))
    let dweight_KD = pass.matrix(kernel, weight.rows), padded = padded(&pass)
    pass.depthwiseWeightGradient(dy_ND, x_ND, frames: pass.frames, padded: padded, into: dweight_KD)
    let dweight_DK = pass.matrix(weight.rows, kernel)
    pass.transpose(dweight_KD, into: dweight_DK)
    pass.store(dweight_DK, asGradientOf: weight)
  }

  /// Tap-major, so that neighbouring channels lie together as they do in the frames.
  private func weight_KD(_ pass: inout Pass) -> Matrix {
    let weight_KD = pass.matrix(kernel, weight.rows)
    pass.transpose(pass[weight], into: weight_KD)
    return weight_KD
  }

  /// Room for a sample with zeros around it.
  private func padded(_ pass: inout Pass) -> Matrix {
    pass.matrix(pass.frames + kernel - 1, weight.rows)
  }
}
