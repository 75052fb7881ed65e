import TensorCore

/// The layer of report 004's second task, applied several times with the same weights.
///
/// `x = Norm1(attention(x) + x)`; `x = Norm2(x + drop(feedforward(x)))`; then a gated convolution branch
/// `x = drop(Norm3(linear2(relu(linear1(glu(conv1d x)))) + x))`.
package struct ConvTransformerLayer: Layer {
  let attention: Attention
  let norm1: LayerNorm, norm2: LayerNorm, norm3: LayerNorm
  let feedForward1: Linear, feedForward2: Linear
  let convolution: Convolution3
  let gate = GatedLinearUnit(bias: nil)
  let linear1: Linear, linear2: Linear
  let dropout: Float

  package init(
    _ name: String, width: Int, _ encoder: ModelConfiguration.Encoder, in layout: inout ParameterLayout
  ) {
    let hidden = encoder.feedforward
    attention = Attention(
      separate: "\(name).enc_self_attn", width: width, heads: encoder.heads, dropout: 0, in: &layout)
    norm1 = LayerNorm("\(name).Norm1", width: width, in: &layout)
    norm2 = LayerNorm("\(name).Norm2", width: width, in: &layout)
    feedForward1 = Linear("\(name).feedforward.0", inputs: width, outputs: hidden, in: &layout)
    feedForward2 = Linear("\(name).feedforward.2", inputs: hidden, outputs: width, in: &layout)
    convolution = Convolution3("\(name).conv1d", inputs: width, outputs: 2 * width, in: &layout)
    linear1 = Linear("\(name).linear1", inputs: width, outputs: hidden, in: &layout)
    linear2 = Linear("\(name).linear2", inputs: hidden, outputs: width, in: &layout)
    norm3 = LayerNorm("\(name).Norm3", width: width, in: &layout)
    dropout = encoder.dropout
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    pass.save(x_ND)
    let attended_ND = attention.forward(x_ND, &pass)
    let h_ND = norm1.addingForward(x_ND, branch: attended_ND, attention.outputBias, probability: 0, &pass)
    let fed_ND = hiddenForward(feedForward1, feedForward2, h_ND, &pass)
    let r_ND = norm2.addingForward(h_ND, branch: fed_ND, feedForward2.bias!, probability: dropout, &pass)
    let gated_ND = gate.forward(convolution.forward(r_ND, &pass), &pass)
    let branch_ND = hiddenForward(linear1, linear2, gated_ND, &pass)
    let y_ND = norm3.addingForward(r_ND, branch: branch_ND, linear2.bias!, probability: 0, &pass)
    pass.dropout(y_ND, probability: dropout)
    return y_ND
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    pass.dropoutBackward(dy_ND, probability: dropout)
    let (dr_ND, dbranch_ND) = norm3.addingBackward(dy_ND, linear2.bias!, probability: 0, &pass)
    let dgated_ND = hiddenBackward(linear1, linear2, dbranch_ND, &pass)
    let dconvolved_N2D = gate.backward(dgated_ND, &pass).dx_N2D
    pass.add(convolution.backward(dconvolved_N2D, &pass), to: dr_ND)
    pass.finishedGradients(from: convolution.weight)
    let (dh_ND, dfed_ND) = norm2.addingBackward(dr_ND, feedForward2.bias!, probability: dropout, &pass)
    pass.add(hiddenBackward(feedForward1, feedForward2, dfed_ND, &pass), to: dh_ND)
    let (dx_ND, dattended_ND) = norm1.addingBackward(dh_ND, attention.outputBias, probability: 0, &pass)
    pass.finishedGradients(from: norm1.weight)
    attention.backward(dattended_ND, addingTo: dx_ND, &pass)
    return dx_ND
  }

  /// `second(relu(first x))` before the second bias.
  private func hiddenForward(_ first: Linear, _ second: Linear, _ x_ND: Matrix, _ pass: inout Pass) -> Matrix
  {
    let hidden_NF = first.product(x_ND, &pass)
    pass.biasReLUDropout(hidden_NF, first.bias!, probability: 0)
    pass.save(x_ND)
    pass.save(hidden_NF)
    return second.product(hidden_NF, &pass)
  }

  private func hiddenBackward(_ first: Linear, _ second: Linear, _ dy_ND: Matrix, _ pass: inout Pass)
    -> Matrix
  {
    let hidden_NF = pass.restore()
    let x_ND = pass.restore()
    second.weightGradient(dy_ND, hidden_NF, &pass)
    let dhidden_NF = second.inputGradient(dy_ND, &pass)
    pass.biasReLUDropoutBackward(dhidden_NF, result: hidden_NF, first.bias!, probability: 0)
    first.weightGradient(dhidden_NF, x_ND, &pass)
    return first.inputGradient(dhidden_NF, &pass)
  }
}
