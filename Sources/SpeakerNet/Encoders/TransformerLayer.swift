import TensorCore

/// PyTorch's `nn.TransformerEncoderLayer`, post-norm with ReLU.
///
/// `x = norm1(x + drop(attention(x)))`, `x = norm2(x + drop(linear2(drop(relu(linear1 x)))))`
package struct TransformerLayer: Layer {
  let attention: Attention
  let linear1: Linear, linear2: Linear
  let norm1: LayerNorm, norm2: LayerNorm
  let dropout: Float

  package init(
    _ name: String, width: Int, heads: Int, feedforward: Int, dropout: Float, in layout: inout ParameterLayout
  ) {
    attention = Attention(
      multihead: "\(name).self_attn", width: width, heads: heads, dropout: dropout, in: &layout)
    linear1 = Linear("\(name).linear1", inputs: width, outputs: feedforward, in: &layout)
    linear2 = Linear("\(name).linear2", inputs: feedforward, outputs: width, in: &layout)
    norm1 = LayerNorm("\(name).norm1", width: width, in: &layout)
    norm2 = LayerNorm("\(name).norm2", width: width, in: &layout)
    self.dropout = dropout
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    pass.save(x_ND)
    let attended_ND = attention.forward(x_ND, &pass)
    let h_ND = norm1.addingForward(
      x_ND, branch: attended_ND, attention.outputBias, probability: dropout, &pass)
    let hidden_NF = linear1.product(h_ND, &pass)
    pass.biasReLUDropout(hidden_NF, linear1.bias!, probability: dropout)
    pass.save(h_ND)
    pass.save(hidden_NF)
    let projected_ND = linear2.product(hidden_NF, &pass)
    return norm2.addingForward(h_ND, branch: projected_ND, linear2.bias!, probability: dropout, &pass)
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let (dh_ND, dprojected_ND) = norm2.addingBackward(dy_ND, linear2.bias!, probability: dropout, &pass)
    let hidden_NF = pass.restore()
    let h_ND = pass.restore()
    linear2.weightGradient(dprojected_ND, hidden_NF, &pass)
    let dhidden_NF = linear2.inputGradient(dprojected_ND, &pass)
    pass.biasReLUDropoutBackward(dhidden_NF, result: hidden_NF, linear1.bias!, probability: dropout)
    linear1.weightGradient(dhidden_NF, h_ND, &pass)
    linear1.addInputGradient(dhidden_NF, to: dh_ND, &pass)
    let (dx_ND, dattended_ND) = norm1.addingBackward(
      dh_ND, attention.outputBias, probability: dropout, &pass)
    pass.finishedGradients(from: linear1.weight)
    attention.backward(dattended_ND, addingTo: dx_ND, &pass)
    return dx_ND
  }
}
