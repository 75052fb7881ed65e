import CKernels
import TensorCore

/// The conformer's convolution module with its residual:
/// `x + drop(pointwise(silu(batchNorm(depthwise(glu(pointwise(norm x)))))))`.
package struct ConformerConvolution: Sendable {
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

  /// `x` becomes the sum.
  package func forward(addingTo x_ND: Matrix, _ pass: inout Pass) {
    let gated_ND = gate.forward(pointwise1.keptProduct(norm.forward(x_ND, &pass), &pass), &pass)
    let convolved_ND = pass.kept(x_ND.rows, x_ND.columns)
    depthwise.convolve(gated_ND, into: convolved_ND, &pass)
    let a_ND = batchNorm.forward(normalizing: convolved_ND, &pass)
    pass.clock.measure(.activation) { kernel_silu(a_ND.count, a_ND.base) }
    pass.addBranch(pointwise2.product(a_ND, &pass), pointwise2.bias!, probability: dropout, to: x_ND)
  }

  /// `dx`, the gradient of the sum, becomes that of `x`.
  package func backward(addingTo dx_ND: Matrix, _ pass: inout Pass) {
    let dprojected_ND = pass.branchGradient(dx_ND, pointwise2.bias!, probability: dropout)
    let da_ND = pointwise2.inputGradient(dprojected_ND, &pass)
    let batchNormalized = Normalized(restoredFrom: pass)
    let a_ND = batchNormalized.output(batchNorm.weight, batchNorm.bias, &pass)
    pass.clock.measure(.activation) { kernel_silu_backward(a_ND.count, a_ND.base, da_ND.base, da_ND.base) }
    pointwise2.weightGradient(dprojected_ND, a_ND, &pass)
    pass.finishedGradients(from: pointwise2.weight)
    let dconvolved_ND = batchNorm.backward(da_ND, batchNormalized, &pass)
    let dgated_ND = depthwise.inputGradient(dconvolved_ND, &pass)
    let (dpointwise_N2D, gated_ND) = gate.backward(dgated_ND, &pass)
    depthwise.parameterGradients(dconvolved_ND, gated_ND, &pass)
    let normalized = Normalized(restoredFrom: pass)
    pointwise1.weightGradient(dpointwise_N2D, normalized.output(norm.weight, norm.bias, &pass), &pass)
    pass.add(norm.backward(pointwise1.inputGradient(dpointwise_N2D, &pass), normalized, pass), to: dx_ND)
  }
}
