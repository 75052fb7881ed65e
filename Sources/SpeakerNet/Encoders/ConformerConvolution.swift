import CKernels
import TensorCore

/// The conformer's convolution module with its residual:
/// `x + drop(pointwise(silu(batchNorm(depthwise(glu(pointwise(norm x)))))))`.
package struct ConformerConvolution: Layer {
  let norm: LayerNorm
  let pointwise1: Linear
  let gate: GatedLinearUnit
  let depthwise: DepthwiseConvolution
  let batchNorm: BatchNorm
  let pointwise2: Linear
  let dropout: Float

  package init(_ name: String, width: Int, kernel: Int, dropout: Float, in layout: inout ParameterLayout) {
    norm = LayerNorm("\(name).layer_norm", width: width, in: &layout)
    pointwise1 = Self.pointwise("\(name).sequential.0", inputs: width, outputs: 2 * width, in: &layout)
    gate = GatedLinearUnit(bias: pointwise1.bias)
    depthwise = DepthwiseConvolution("\(name).sequential.2", width: width, kernel: kernel, in: &layout)
    batchNorm = BatchNorm("\(name).sequential.3", width: width, in: &layout)
    pointwise2 = Self.pointwise("\(name).sequential.5", inputs: width, outputs: width, in: &layout)
    self.dropout = dropout
  }

  /// A convolution of width one is a linear layer whose weight is stored as [O, I, 1].
  private static func pointwise(
    _ name: String, inputs: Int, outputs: Int, in layout: inout ParameterLayout
  ) -> Linear {
    let bound = 1 / Float(inputs).squareRoot()
    let weight = layout.add("\(name).weight", [outputs, inputs, 1], .uniform(bound: bound))
    return Linear(weight: weight, bias: layout.add("\(name).bias", [outputs], .uniform(bound: bound)))
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let n_ND = norm.forward(x_ND, &pass)
    pass.save(n_ND)
    let gated_ND = gate.forward(pointwise1.product(n_ND, &pass), &pass)
    let b_ND = batchNorm.forward(depthwise.forward(gated_ND, &pass), &pass)
    let a_ND = pass.matrix(b_ND.rows, b_ND.columns)
    pass.clock.measure(.activation) { kernel_silu(b_ND.count, b_ND.base, a_ND.base) }
    pass.save(b_ND)
    pass.save(a_ND)
    let projected_ND = pointwise2.product(a_ND, &pass)
    return pass.residual(x_ND, branch: projected_ND, pointwise2.bias!, probability: dropout)
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let dprojected_ND = pass.branchGradient(dy_ND, pointwise2.bias!, probability: dropout)
    let a_ND = pass.restore()
    let b_ND = pass.restore()
    pointwise2.weightGradient(dprojected_ND, a_ND, &pass)
    pass.finishedGradients(from: pointwise2.weight)
    let da_ND = pointwise2.inputGradient(dprojected_ND, &pass)
    pass.clock.measure(.activation) { kernel_silu_backward(b_ND.count, b_ND.base, da_ND.base, da_ND.base) }
    let dgated_ND = depthwise.backward(batchNorm.backward(da_ND, &pass), &pass)
    let dpointwise_N2D = gate.backward(dgated_ND, &pass)
    let n_ND = pass.restore()
    pointwise1.weightGradient(dpointwise_N2D, n_ND, &pass)
    let dx_ND = norm.backward(pointwise1.inputGradient(dpointwise_N2D, &pass), &pass)
    pass.add(dy_ND, to: dx_ND)
    return dx_ND
  }
}
