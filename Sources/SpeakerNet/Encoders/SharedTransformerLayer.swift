import TensorCore

/// The layer of report 004's first task, applied several times with the same weights.
///
/// `x = drop(Norm1(attention(x) + x))`, `x = drop(feedforward(x))` without a residual. `Norm2` is stored and
/// counted but never used, so it never gets a gradient.
package struct SharedTransformerLayer: Layer {
  let attention: Attention
  let norm1: LayerNorm
  let linear1: Linear, linear2: Linear
  let dropout: Float

  package init(
    _ name: String, width: Int, _ encoder: ModelConfiguration.Encoder, in layout: inout ParameterLayout
  ) {
    attention = Attention(
      separate: "\(name).enc_self_attn", width: width, heads: encoder.heads, dropout: 0, in: &layout)
    norm1 = LayerNorm("\(name).Norm1", width: width, in: &layout)
    layout.addUntrained("\(name).Norm2.weight", [width], .ones)
    layout.addUntrained("\(name).Norm2.bias", [width], .zeros)
    linear1 = Linear("\(name).feedforward.0", inputs: width, outputs: encoder.feedforward, in: &layout)
    linear2 = Linear("\(name).feedforward.2", inputs: encoder.feedforward, outputs: width, in: &layout)
    dropout = encoder.dropout
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    pass.save(x_ND)
    let attended_ND = attention.forward(x_ND, &pass)
    let h_ND = norm1.addingForward(x_ND, branch: attended_ND, attention.outputBias, probability: 0, &pass)
    pass.dropout(h_ND, probability: dropout)
    let hidden_NF = linear1.product(h_ND, &pass)
    pass.biasReLUDropout(hidden_NF, linear1.bias!, probability: 0)
    pass.save(h_ND)
    pass.save(hidden_NF)
    let y_ND = linear2.product(hidden_NF, &pass)
    pass.addBias(linear2.bias!, to: y_ND)
    pass.dropout(y_ND, probability: dropout)
    return y_ND
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    pass.dropoutBackward(dy_ND, probability: dropout)
    pass.addBiasGradient(of: linear2.bias!, from: dy_ND)
    let hidden_NF = pass.restore()
    let h_ND = pass.restore()
    linear2.weightGradient(dy_ND, hidden_NF, &pass)
    let dhidden_NF = linear2.inputGradient(dy_ND, &pass)
    pass.biasReLUDropoutBackward(dhidden_NF, result: hidden_NF, linear1.bias!, probability: 0)
    linear1.weightGradient(dhidden_NF, h_ND, &pass)
    let dh_ND = linear1.inputGradient(dhidden_NF, &pass)
    pass.dropoutBackward(dh_ND, probability: dropout)
    let (dx_ND, dattended_ND) = norm1.addingBackward(dh_ND, attention.outputBias, probability: 0, &pass)
    pass.finishedGradients(from: norm1.weight)
    attention.backward(dattended_ND, addingTo: dx_ND, &pass)
    return dx_ND
  }
}
