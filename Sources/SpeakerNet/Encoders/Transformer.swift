import TensorCore

/// `linear2(dropout(relu(linear1 x)))`, whose second bias is left to the operation that follows.
struct FeedForward: Sendable {
  let linear1: Linear, linear2: Linear
  let dropout: Float

  /// Registers the parameters of `name1`, [F, D], and `name2`, [D, F].
  init(
    _ name1: String, _ name2: String, width: Int, hidden: Int, dropout: Float = 0,
    in layout: inout ParameterLayout
  ) {
    linear1 = Linear(name1, inputs: width, outputs: hidden, in: &layout)
    linear2 = Linear(name2, inputs: hidden, outputs: width, in: &layout)
    self.dropout = dropout
  }

  /// The bias that the result of ``forward(_:_:)`` still lacks.
  var outputBias: Parameter { linear2.bias! }

  func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let hidden_NF = linear1.product(x_ND, &pass)
    pass.biasReLUDropout(hidden_NF, linear1.bias!, probability: dropout)
    pass.save(x_ND)
    pass.save(hidden_NF)
    return linear2.product(hidden_NF, &pass)
  }

  func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    linear1.inputGradient(hiddenGradient(dy_ND, &pass), &pass)
  }

  /// The same where a residual connection brought a gradient already: it is added to `dx`.
  func backward(_ dy_ND: Matrix, addingTo dx_ND: Matrix, _ pass: inout Pass) {
    linear1.addInputGradient(hiddenGradient(dy_ND, &pass), to: dx_ND, &pass)
  }

  func work(samples: Int, frames: Int) -> Work {
    linear1.work(samples: samples, frames: frames) + linear2.work(samples: samples, frames: frames)
  }

  /// The gradient after `linear1`; those of all parameters are done.
  private func hiddenGradient(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let hidden_NF = pass.restore()
    let x_ND = pass.restore()
    linear2.weightGradient(dy_ND, hidden_NF, &pass)
    let dhidden_NF = linear2.inputGradient(dy_ND, &pass)
    pass.biasReLUDropoutBackward(dhidden_NF, result: hidden_NF, linear1.bias!, probability: dropout)
    linear1.weightGradient(dhidden_NF, x_ND, &pass)
    return dhidden_NF
  }
}

/// PyTorch's `nn.TransformerEncoderLayer`, post-norm with ReLU.
///
/// `x = norm1(x + drop(attention(x)))`, `x = norm2(x + drop(linear2(drop(relu(linear1 x)))))`
package struct TransformerLayer: Layer {
  let attention: Attention
  let feedForward: FeedForward
  let norm1: LayerNorm, norm2: LayerNorm
  let dropout: Float

  package init(
    _ name: String, width: Int, heads: Int, feedforward: Int, dropout: Float, in layout: inout ParameterLayout
  ) {
    attention = Attention(
      multihead: "\(name).self_attn", width: width, heads: heads, dropout: dropout, in: &layout)
    feedForward = FeedForward(
      "\(name).linear1", "\(name).linear2", width: width, hidden: feedforward, dropout: dropout, in: &layout)
    norm1 = LayerNorm("\(name).norm1", width: width, in: &layout)
    norm2 = LayerNorm("\(name).norm2", width: width, in: &layout)
    self.dropout = dropout
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    pass.save(x_ND)
    let attended_ND = attention.forward(x_ND, &pass)
    let h_ND = norm1.addingForward(
      x_ND, branch: attended_ND, attention.outputBias, probability: dropout, &pass)
    let fed_ND = feedForward.forward(h_ND, &pass)
    return norm2.addingForward(h_ND, branch: fed_ND, feedForward.outputBias, probability: dropout, &pass)
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let (dh_ND, dfed_ND) = norm2.addingBackward(dy_ND, feedForward.outputBias, probability: dropout, &pass)
    feedForward.backward(dfed_ND, addingTo: dh_ND, &pass)
    let (dx_ND, dattended_ND) = norm1.addingBackward(
      dh_ND, attention.outputBias, probability: dropout, &pass)
    pass.finishedGradients(from: feedForward.linear1.weight)
    attention.backward(dattended_ND, addingTo: dx_ND, &pass)
    return dx_ND
  }

  package func work(samples: Int, frames: Int) -> Work {
    attention.work(samples: samples, frames: frames) + feedForward.work(samples: samples, frames: frames)
  }
}

/// The layer of report 004's first task, applied several times with the same weights.
///
/// `x = drop(Norm1(attention(x) + x))`, `x = drop(feedforward(x))` without a residual. `Norm2` is stored and
/// counted but never used, so it never gets a gradient.
package struct SharedTransformerLayer: Layer {
  let attention: Attention
  let norm1: LayerNorm
  let feedForward: FeedForward
  let dropout: Float

  package init(
    _ name: String, width: Int, _ encoder: ModelConfiguration.Encoder, in layout: inout ParameterLayout
  ) {
    attention = Attention(
      separate: "\(name).enc_self_attn", width: width, heads: encoder.heads, dropout: 0, in: &layout)
    norm1 = LayerNorm("\(name).Norm1", width: width, in: &layout)
    layout.addUntrained("\(name).Norm2.weight", [width], .ones)
    layout.addUntrained("\(name).Norm2.bias", [width], .zeros)
    feedForward = FeedForward(
      "\(name).feedforward.0", "\(name).feedforward.2", width: width, hidden: encoder.feedforward, in: &layout
    )
    dropout = encoder.dropout
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    pass.save(x_ND)
    let attended_ND = attention.forward(x_ND, &pass)
    let h_ND = norm1.addingForward(x_ND, branch: attended_ND, attention.outputBias, probability: 0, &pass)
    pass.dropout(h_ND, probability: dropout)
    let y_ND = feedForward.forward(h_ND, &pass)
    pass.addBias(pass[feedForward.outputBias], to: y_ND)
    pass.dropout(y_ND, probability: dropout)
    return y_ND
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    pass.dropoutBackward(dy_ND, probability: dropout)
    pass.addBiasGradient(dy_ND, to: pass.gradient(of: feedForward.outputBias))
    let dh_ND = feedForward.backward(dy_ND, &pass)
    pass.dropoutBackward(dh_ND, probability: dropout)
    let (dx_ND, dattended_ND) = norm1.addingBackward(dh_ND, attention.outputBias, probability: 0, &pass)
    pass.finishedGradients(from: norm1.weight)
    attention.backward(dattended_ND, addingTo: dx_ND, &pass)
    return dx_ND
  }

  package func work(samples: Int, frames: Int) -> Work {
    attention.work(samples: samples, frames: frames) + feedForward.work(samples: samples, frames: frames)
  }
}

/// The layer of report 004's second task, applied several times with the same weights.
///
/// `x = Norm1(attention(x) + x)`; `x = Norm2(x + drop(feedforward(x)))`; then a gated convolution branch
/// `x = drop(Norm3(linear2(relu(linear1(glu(conv1d x)))) + x))`.
package struct ConvTransformerLayer: Layer {
  let attention: Attention
  let norm1: LayerNorm, norm2: LayerNorm, norm3: LayerNorm
  let feedForward: FeedForward
  let convolution: Convolution3
  let gate = GatedLinearUnit(bias: nil)
  let gatedFeedForward: FeedForward
  let dropout: Float

  package init(
    _ name: String, width: Int, _ encoder: ModelConfiguration.Encoder, in layout: inout ParameterLayout
  ) {
    attention = Attention(
      separate: "\(name).enc_self_attn", width: width, heads: encoder.heads, dropout: 0, in: &layout)
    norm1 = LayerNorm("\(name).Norm1", width: width, in: &layout)
    norm2 = LayerNorm("\(name).Norm2", width: width, in: &layout)
    feedForward = FeedForward(
      "\(name).feedforward.0", "\(name).feedforward.2", width: width, hidden: encoder.feedforward, in: &layout
    )
    convolution = Convolution3("\(name).conv1d", inputs: width, outputs: 2 * width, in: &layout)
    gatedFeedForward = FeedForward(
      "\(name).linear1", "\(name).linear2", width: width, hidden: encoder.feedforward, in: &layout)
    norm3 = LayerNorm("\(name).Norm3", width: width, in: &layout)
    dropout = encoder.dropout
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    pass.save(x_ND)
    let attended_ND = attention.forward(x_ND, &pass)
    let h_ND = norm1.addingForward(x_ND, branch: attended_ND, attention.outputBias, probability: 0, &pass)
    let fed_ND = feedForward.forward(h_ND, &pass)
    let r_ND = norm2.addingForward(
      h_ND, branch: fed_ND, feedForward.outputBias, probability: dropout, &pass)
    let gated_ND = gate.forward(convolution.forward(r_ND, &pass), &pass)
    let branch_ND = gatedFeedForward.forward(gated_ND, &pass)
    let y_ND = norm3.addingForward(
      r_ND, branch: branch_ND, gatedFeedForward.outputBias, probability: 0, &pass)
    pass.dropout(y_ND, probability: dropout)
    return y_ND
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    pass.dropoutBackward(dy_ND, probability: dropout)
    let (dr_ND, dbranch_ND) = norm3.addingBackward(
      dy_ND, gatedFeedForward.outputBias, probability: 0, &pass)
    let dgated_ND = gatedFeedForward.backward(dbranch_ND, &pass)
    let dconvolved_N2D = gate.backward(dgated_ND, &pass).dx_N2D
    let dconvolution_ND = convolution.backward(dconvolved_N2D, &pass)
    pass.add(dconvolution_ND, to: dr_ND)
    pass.finishedGradients(from: convolution.weight)
    let (dh_ND, dfed_ND) = norm2.addingBackward(
      dr_ND, feedForward.outputBias, probability: dropout, &pass)
    let dfeedForward_ND = feedForward.backward(dfed_ND, &pass)
    pass.add(dfeedForward_ND, to: dh_ND)
    let (dx_ND, dattended_ND) = norm1.addingBackward(dh_ND, attention.outputBias, probability: 0, &pass)
    pass.finishedGradients(from: norm1.weight)
    attention.backward(dattended_ND, addingTo: dx_ND, &pass)
    return dx_ND
  }

  package func work(samples: Int, frames: Int) -> Work {
    attention.work(samples: samples, frames: frames) + feedForward.work(samples: samples, frames: frames)
      + convolution.work(samples: samples, frames: frames)
      + gatedFeedForward.work(samples: samples, frames: frames)
  }
}
