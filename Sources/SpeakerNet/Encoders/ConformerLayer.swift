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
    let h_ND = feedForward1.forward(x_ND, &pass)
    let attended_ND = attention.forward(attentionNorm.forward(h_ND, &pass), &pass)
    let residual_ND = pass.residual(h_ND, branch: attended_ND, attention.outputBias, probability: dropout)
    let convolved_ND = convolution.forward(residual_ND, &pass)
    return finalNorm.forward(feedForward2.forward(convolved_ND, &pass), &pass)
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let dconvolved_ND = feedForward2.backward(finalNorm.backward(dy_ND, &pass), &pass)
    pass.finishedGradients(from: feedForward2.norm.weight)
    let dresidual_ND = convolution.backward(dconvolved_ND, &pass)
    pass.finishedGradients(from: convolution.norm.weight)
    let dattended_ND = pass.branchGradient(dresidual_ND, attention.outputBias, probability: dropout)
    let dnorm_ND = pass.matrix(dy_ND.rows, dy_ND.columns)
    dnorm_ND.clear()
    attention.backward(dattended_ND, addingTo: dnorm_ND, &pass)
    let dh_ND = attentionNorm.backward(dnorm_ND, &pass)
    pass.add(dresidual_ND, to: dh_ND)
    pass.finishedGradients(from: attentionNorm.weight)
    let dx_ND = feedForward1.backward(dh_ND, &pass)
    pass.finishedGradients(from: feedForward1.norm.weight)
    return dx_ND
  }
}
