import TensorCore

/// A layer of torchaudio's `Conformer` (Gulati et al., arXiv 2005.08100): half a feed-forward, attention, the
/// convolution module, half a feed-forward, LayerNorm.
package struct ConformerLayer: Layer {
  let feedForward1: ConformerFeedForward
  let attentionNorm: LayerNorm
  let attention: Attention
  let convolution: ConformerConvolution
  let feedForward2: ConformerFeedForward
  let finalNorm: LayerNorm
  let dropout: Float

  package init(
    _ name: String, width: Int, _ encoder: ModelConfiguration.Encoder, in layout: inout ParameterLayout
  ) {
    dropout = encoder.dropout
    feedForward1 = ConformerFeedForward(
      "\(name).ffn1", width: width, feedforward: encoder.feedforward, dropout: dropout, in: &layout)
    attentionNorm = LayerNorm("\(name).self_attn_layer_norm", width: width, in: &layout)
    attention = Attention(
      multihead: "\(name).self_attn", width: width, heads: encoder.heads, dropout: dropout, in: &layout)
    convolution = ConformerConvolution(
      "\(name).conv_module", width: width, kernel: encoder.kernel, dropout: dropout, in: &layout)
    feedForward2 = ConformerFeedForward(
      "\(name).ffn2", width: width, feedforward: encoder.feedforward, dropout: dropout, in: &layout)
    finalNorm = LayerNorm("\(name).final_layer_norm", width: width, in: &layout)
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let y_ND = pass.matrix(x_ND.rows, x_ND.columns)
    y_ND.copy(from: x_ND)
    pass.temporarily { feedForward1.forward(addingTo: y_ND, &$0) }
    pass.temporarily { attend(addingTo: y_ND, &$0) }
    pass.temporarily { convolution.forward(addingTo: y_ND, &$0) }
    pass.temporarily { feedForward2.forward(addingTo: y_ND, &$0) }
    finalNorm.forward(y_ND, into: y_ND, &pass)
    return y_ND
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let dx_ND = finalNorm.backward(dy_ND, &pass)
    pass.temporarily { feedForward2.backward(addingTo: dx_ND, &$0) }
    pass.finishedGradients(from: feedForward2.norm.weight)
    pass.temporarily { convolution.backward(addingTo: dx_ND, &$0) }
    pass.finishedGradients(from: convolution.norm.weight)
    pass.temporarily { attendBackward(addingTo: dx_ND, &$0) }
    pass.finishedGradients(from: attentionNorm.weight)
    pass.temporarily { feedForward1.backward(addingTo: dx_ND, &$0) }
    pass.finishedGradients(from: feedForward1.norm.weight)
    return dx_ND
  }

  package func work(samples: Int, frames: Int) -> Work {
    feedForward1.work(samples: samples, frames: frames) + attention.work(samples: samples, frames: frames)
      + convolution.work(samples: samples, frames: frames)
      + feedForward2.work(samples: samples, frames: frames)
  }

  private func attend(addingTo x_ND: Matrix, _ pass: inout Pass) {
    let attended_ND = attention.forward(attentionNorm.forward(x_ND, &pass), &pass)
    pass.addBranch(attended_ND, attention.outputBias, probability: dropout, to: x_ND)
  }

  private func attendBackward(addingTo dx_ND: Matrix, _ pass: inout Pass) {
    let dattended_ND = pass.addBranchBackward(dx_ND, attention.outputBias, probability: dropout)
    let dqkv_N3D = attention.backward(dattended_ND, &pass)
    let normalized = Normalized(restoredFrom: pass)
    let n_ND = normalized.output(attentionNorm.weight, attentionNorm.bias, &pass)
    attention.projectionGradients(dqkv_N3D, n_ND, &pass)
    let dn_ND = attention.projection.inputGradient(dqkv_N3D, &pass)
    pass.add(attentionNorm.backward(dn_ND, normalized, pass), to: dx_ND)
  }
}

/// The conformer's half-step feed-forward: `x + ½ · drop(linear(drop(silu(linear(norm x)))))`.
package struct ConformerFeedForward: Sendable {
  let norm: LayerNorm
  let linear1: Linear, linear2: Linear
  let dropout: Float

  package init(_ name: String, width: Int, feedforward: Int, dropout: Float, in layout: inout ParameterLayout)
  {
    norm = LayerNorm("\(name).sequential.0", width: width, in: &layout)
    linear1 = Linear("\(name).sequential.1", inputs: width, outputs: feedforward, in: &layout)
    linear2 = Linear("\(name).sequential.4", inputs: feedforward, outputs: width, in: &layout)
    self.dropout = dropout
  }

  /// `x` becomes the sum.
  package func forward(addingTo x_ND: Matrix, _ pass: inout Pass) {
    let n_ND = norm.forward(x_ND, &pass)
    let h_NF = linear1.keptProduct(n_ND, &pass)
    let a_NF = pass.matrix(h_NF.rows, h_NF.columns)
    let mask = pass.mask(h_NF.count, probability: dropout)
    let bias_F = pass[linear1.bias!]
    pass.biasSiLUDropout(h_NF, bias_F, mask, into: a_NF)
    pass.save(h_NF)
    let f_ND = linear2.product(a_NF, &pass)
    pass.addBranch(f_ND, linear2.bias!, factor: 0.5, probability: dropout, to: x_ND)
  }

  /// `dx`, the gradient of the sum, becomes that of `x`.
  package func backward(addingTo dx_ND: Matrix, _ pass: inout Pass) {
    let df_ND = pass.addBranchBackward(dx_ND, linear2.bias!, factor: 0.5, probability: dropout)
    let h_NF = pass.restore()
    let dh_NF = linear2.inputGradient(df_ND, &pass)
    let a_NF = pass.matrix(h_NF.rows, h_NF.columns)
    let mask = pass.restoreMask(probability: dropout)
    let dbias_F = pass.gradient(of: linear1.bias!)
    pass.biasSiLUDropoutBackward(dh_NF, input: h_NF, mask, resultInto: a_NF, dbias: dbias_F)
    linear2.weightGradient(df_ND, a_NF, &pass)
    let normalized = Normalized(restoredFrom: pass)
    let n_ND = normalized.output(norm.weight, norm.bias, &pass)
    linear1.weightGradient(dh_NF, n_ND, &pass)
    let dn_ND = linear1.inputGradient(dh_NF, &pass)
    pass.add(norm.backward(dn_ND, normalized, pass), to: dx_ND)
  }

  func work(samples: Int, frames: Int) -> Work {
    linear1.work(samples: samples, frames: frames) + linear2.work(samples: samples, frames: frames)
  }
}

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
    pass.silu(a_ND)
    let projected_ND = pointwise2.product(a_ND, &pass)
    pass.addBranch(projected_ND, pointwise2.bias!, probability: dropout, to: x_ND)
  }

  /// `dx`, the gradient of the sum, becomes that of `x`.
  package func backward(addingTo dx_ND: Matrix, _ pass: inout Pass) {
    let dprojected_ND = pass.addBranchBackward(dx_ND, pointwise2.bias!, probability: dropout)
    let da_ND = pointwise2.inputGradient(dprojected_ND, &pass)
    let batchNormalized = Normalized(restoredFrom: pass)
    let a_ND = batchNormalized.output(batchNorm.weight, batchNorm.bias, &pass)
    pass.siluBackward(da_ND, input: a_ND)
    pointwise2.weightGradient(dprojected_ND, a_ND, &pass)
    pass.finishedGradients(from: pointwise2.weight)
    let dconvolved_ND = batchNorm.backward(da_ND, batchNormalized, &pass)
    let dgated_ND = depthwise.inputGradient(dconvolved_ND, &pass)
    let (dpointwise_N2D, gated_ND) = gate.backward(dgated_ND, &pass)
    depthwise.parameterGradients(dconvolved_ND, gated_ND, &pass)
    let normalized = Normalized(restoredFrom: pass)
    let n_ND = normalized.output(norm.weight, norm.bias, &pass)
    pointwise1.weightGradient(dpointwise_N2D, n_ND, &pass)
    let dn_ND = pointwise1.inputGradient(dpointwise_N2D, &pass)
    pass.add(norm.backward(dn_ND, normalized, pass), to: dx_ND)
  }

  func work(samples: Int, frames: Int) -> Work {
    pointwise1.work(samples: samples, frames: frames) + depthwise.work(samples: samples, frames: frames)
      + pointwise2.work(samples: samples, frames: frames)
  }
}
