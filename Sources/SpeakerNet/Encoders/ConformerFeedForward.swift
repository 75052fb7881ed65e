import CKernels
import TensorCore

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
    let keep = pass.mask(h_NF.count, probability: dropout)
    pass.clock.measure(.activation) {
      kernel_bias_silu_dropout(
        h_NF.rows, h_NF.columns, pass[linear1.bias!].base, keep, 1 / (1 - dropout), h_NF.base, a_NF.base)
    }
    pass.save(h_NF)
    let f_ND = linear2.product(a_NF, &pass)
    pass.addBranch(f_ND, linear2.bias!, factor: 0.5, probability: dropout, to: x_ND)
  }

  /// `dx`, the gradient of the sum, becomes that of `x`.
  package func backward(addingTo dx_ND: Matrix, _ pass: inout Pass) {
    let df_ND = pass.branchGradient(dx_ND, linear2.bias!, factor: 0.5, probability: dropout)
    let h_NF = pass.restore()
    let dh_NF = linear2.inputGradient(df_ND, &pass)
    let a_NF = pass.matrix(h_NF.rows, h_NF.columns)
    let keep = pass.restoreMask(probability: dropout)
    pass.clock.measure(.activation) {
      kernel_silu_dropout_backward(
        h_NF.rows, h_NF.columns, h_NF.base, keep, 1 / (1 - dropout), dh_NF.base, dh_NF.base, a_NF.base,
        pass.gradient(of: linear1.bias!).base)
    }
    linear2.weightGradient(df_ND, a_NF, &pass)
    let normalized = Normalized(restoredFrom: pass)
    linear1.weightGradient(dh_NF, normalized.output(norm.weight, norm.bias, &pass), &pass)
    pass.add(norm.backward(linear1.inputGradient(dh_NF, &pass), normalized, pass), to: dx_ND)
  }
}
