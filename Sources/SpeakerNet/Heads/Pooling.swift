import TensorCore

/// From the frames of each sample to one vector: x_ND → e_BD.
package enum Pooling: Layer {
  case mean(MeanPooling)
  case attentive(AttentivePooling)

  package init(_ pooling: ModelConfiguration.Pooling, width: Int, in layout: inout ParameterLayout) {
    switch pooling.kind {
    case .mean: self = .mean(MeanPooling())
    case .sap:
      let name =
        pooling.name == .selfAttentionPooling ? "self_attention_pooling.attention" : "attention_pooling.score"
      self = .attentive(AttentivePooling(score: name, width: width, in: &layout))
    case .sapFull:
      self = .attentive(AttentivePooling(hidden: pooling.attention, width: width, in: &layout))
    }
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    switch self {
    case .mean(let pooling): pooling.forward(x_ND, &pass)
    case .attentive(let pooling): pooling.forward(x_ND, &pass)
    }
  }

  package func backward(_ de_BD: Matrix, _ pass: inout Pass) -> Matrix {
    switch self {
    case .mean(let pooling): pooling.backward(de_BD, &pass)
    case .attentive(let pooling): pooling.backward(de_BD, &pass)
    }
  }

  package func work(samples: Int, frames: Int) -> Work {
    switch self {
    case .mean(let pooling): pooling.work(samples: samples, frames: frames)
    case .attentive(let pooling): pooling.work(samples: samples, frames: frames)
    }
  }
}

/// The mean over the frames.
package struct MeanPooling: Layer {
  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let e_BD = pass.matrix(pass.samples, x_ND.columns)
    pass.meanOverFrames(x_ND, into: e_BD)
    return e_BD
  }

  package func backward(_ de_BD: Matrix, _ pass: inout Pass) -> Matrix {
    let dx_ND = pass.matrix(pass.rows, de_BD.columns)
    pass.meanOverFramesBackward(de_BD, into: dx_ND)
    return dx_ND
  }
}

/// Self-attentive pooling: `α = softmax over time of score(x)`, `e = Σ_t α_t x_t` (after Safari, India and
/// Hernando, arXiv 2008.01077).
///
/// The score is `Linear(D → 1)`, or, with a hidden projection, `Linear(A → 1)(tanh(Linear(D → A) x))`.
package struct AttentivePooling: Layer {
  private let projection: Linear?
  private let score: Linear

  /// `sap`: the score is a linear function, registered under `score`.
  package init(score: String, width: Int, in layout: inout ParameterLayout) {
    projection = nil
    self.score = Linear(score, inputs: width, outputs: 1, in: &layout)
  }

  /// `sap_full` with A = `hidden`: `attention_pooling.{attention_proj, score}`.
  package init(hidden: Int, width: Int, in layout: inout ParameterLayout) {
    projection = Linear("attention_pooling.attention_proj", inputs: width, outputs: hidden, in: &layout)
    score = Linear("attention_pooling.score", inputs: hidden, outputs: 1, in: &layout)
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    pass.save(x_ND)
    var scored = x_ND
    if let projection {
      let hidden_NA = projection.product(x_ND, &pass)
      let bias_A = pass[projection.bias!]
      pass.biasTanh(hidden_NA, bias_A)
      pass.save(hidden_NA)
      scored = hidden_NA
    }
    let scores_N1 = score.product(scored, &pass)
    // One bias for all frames: without effect on the softmax, but PyTorch has it, so it is added.
    let bias_1 = pass[score.bias!]
    pass.addBias(bias_1, to: scores_N1)
    let weights_BT = scores_N1.reshaped(rows: pass.samples, columns: pass.frames)
    pass.softmax(weights_BT)
    pass.save(weights_BT)
    let e_BD = pass.matrix(pass.samples, x_ND.columns)
    pass.weightedSumOverFrames(x_ND, weights_BT, into: e_BD)
    return e_BD
  }

  package func backward(_ de_BD: Matrix, _ pass: inout Pass) -> Matrix {
    let weights_BT = pass.restore()
    let hidden = projection.map { _ in pass.restore() }
    let x_ND = pass.restore()
    let dscores_BT = pass.matrix(weights_BT.rows, weights_BT.columns)
    let dx_ND = pass.matrix(x_ND.rows, x_ND.columns)
    pass.weightedSumOverFramesBackward(de_BD, x_ND, weights_BT, dweights: dscores_BT, into: dx_ND)
    pass.softmaxBackward(dscores_BT, result: weights_BT)
    let dscores_N1 = dscores_BT.reshaped(rows: pass.rows, columns: 1)
    let dbias_1 = pass.gradient(of: score.bias!)
    pass.addBiasGradient(dscores_N1, to: dbias_1)
    score.weightGradient(dscores_N1, hidden ?? x_ND, &pass)
    pass.finishedGradients(from: score.weight)
    guard let projection, let hidden_NA = hidden else {
      score.addInputGradient(dscores_N1, to: dx_ND, &pass)
      return dx_ND
    }
    let dhidden_NA = score.inputGradient(dscores_N1, &pass)
    let dbias_A = pass.gradient(of: projection.bias!)
    pass.biasTanhBackward(dhidden_NA, result: hidden_NA, dbias: dbias_A)
    projection.weightGradient(dhidden_NA, x_ND, &pass)
    pass.finishedGradients(from: projection.weight)
    projection.addInputGradient(dhidden_NA, to: dx_ND, &pass)
    return dx_ND
  }
  package func work(samples: Int, frames: Int) -> Work {
    let scores = score.work(samples: samples, frames: frames)
    return projection.map { $0.work(samples: samples, frames: frames) + scores } ?? scores
  }
}
