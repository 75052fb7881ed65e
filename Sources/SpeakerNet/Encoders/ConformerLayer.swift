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

  private func attend(addingTo x_ND: Matrix, _ pass: inout Pass) {
    let attended_ND = attention.forward(attentionNorm.forward(x_ND, &pass), &pass)
    pass.addBranch(attended_ND, attention.outputBias, probability: dropout, to: x_ND)
  }

  private func attendBackward(addingTo dx_ND: Matrix, _ pass: inout Pass) {
    let dattended_ND = pass.branchGradient(dx_ND, attention.outputBias, probability: dropout)
    let dqkv_N3D = attention.backward(dattended_ND, &pass)
    let normalized = Normalized(restoredFrom: pass)
    let n_ND = normalized.output(attentionNorm.weight, attentionNorm.bias, &pass)
    attention.projectionGradients(dqkv_N3D, n_ND, &pass)
    let dn_ND = attention.projection.inputGradient(dqkv_N3D, &pass)
    pass.add(attentionNorm.backward(dn_ND, normalized, pass), to: dx_ND)
  }
}
