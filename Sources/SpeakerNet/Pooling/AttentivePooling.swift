import CKernels
import TensorCore

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
      pass.clock.measure(.activation) {
        kernel_bias_tanh(
          hidden_NA.rows, hidden_NA.columns, pass[projection.bias!].base, hidden_NA.base)
      }
      pass.save(hidden_NA)
      scored = hidden_NA
    }
    let weights_BT = score.product(scored, &pass).reshaped(rows: pass.samples, columns: pass.frames)
    // One bias for all frames: without effect on the softmax, but PyTorch has it, so it is added.
    let bias = pass[score.bias!].base[0]
    for index in 0..<weights_BT.count { weights_BT.base[index] += bias }
    pass.clock.measure(.softmax) {
      kernel_softmax_dropout(weights_BT.rows, weights_BT.columns, 1, nil, 1, weights_BT.base, nil)
    }
    pass.save(weights_BT)
    let e_BD = pass.matrix(pass.samples, x_ND.columns)
    pass.clock.measure(.other) {
      kernel_weighted_rows(
        pass.samples, pass.frames, x_ND.columns, weights_BT.base, x_ND.base, e_BD.base)
    }
    return e_BD
  }

  package func backward(_ de_BD: Matrix, _ pass: inout Pass) -> Matrix {
    let weights_BT = pass.restore()
    let hidden = projection.map { _ in pass.restore() }
    let x_ND = pass.restore()
    let dscores_BT = pass.matrix(weights_BT.rows, weights_BT.columns)
    let dx_ND = pass.matrix(x_ND.rows, x_ND.columns)
    pass.clock.measure(.other) {
      kernel_weighted_rows_backward(
        pass.samples, pass.frames, x_ND.columns, weights_BT.base, x_ND.base, de_BD.base, dscores_BT.base,
        dx_ND.base)
    }
    pass.clock.measure(.softmax) {
      kernel_softmax_dropout_backward(
        weights_BT.rows, weights_BT.columns, 1, nil, 1, weights_BT.base, dscores_BT.base, dscores_BT.base)
    }
    let dscores_N1 = dscores_BT.reshaped(rows: pass.rows, columns: 1)
    pass.addBiasGradient(of: score.bias!, from: dscores_N1)
    score.weightGradient(dscores_N1, hidden ?? x_ND, &pass)
    pass.finishedGradients(from: score.weight)
    guard let projection, let hidden_NA = hidden else {
      score.addInputGradient(dscores_N1, to: dx_ND, &pass)
      return dx_ND
    }
    let dhidden_NA = score.inputGradient(dscores_N1, &pass)
    pass.clock.measure(.activation) {
      kernel_tanh_backward(
        hidden_NA.rows, hidden_NA.columns, hidden_NA.base, dhidden_NA.base, dhidden_NA.base,
        pass.gradient(of: projection.bias!).base)
    }
    projection.weightGradient(dhidden_NA, x_ND, &pass)
    pass.finishedGradients(from: projection.weight)
    projection.addInputGradient(dhidden_NA, to: dx_ND, &pass)
    return dx_ND
  }
}
