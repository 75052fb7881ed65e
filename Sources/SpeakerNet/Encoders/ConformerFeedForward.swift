import CKernels
import TensorCore

/// The conformer's half-step feed-forward: `x + ½ · drop(linear(drop(silu(linear(norm x)))))`.
package struct ConformerFeedForward: Layer {
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

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let n_ND = norm.forward(x_ND, &pass)
    let h_NF = linear1.product(n_ND, &pass)
    let a_NF = pass.matrix(h_NF.rows, h_NF.columns)
    let keep = pass.mask(h_NF.count, probability: dropout)
    pass.clock.measure(.activation) {
      kernel_bias_silu_dropout(
        h_NF.rows, h_NF.columns, pass[linear1.bias!].base, keep, 1 / (1 - dropout), h_NF.base, a_NF.base)
    }
    pass.save(n_ND)
    pass.save(h_NF)
    pass.save(a_NF)
    let f_ND = linear2.product(a_NF, &pass)
    return pass.residual(x_ND, branch: f_ND, linear2.bias!, factor: 0.5, probability: dropout)
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let df_ND = pass.branchGradient(dy_ND, linear2.bias!, factor: 0.5, probability: dropout)
    let a_NF = pass.restore()
    let h_NF = pass.restore()
    let n_ND = pass.restore()
    linear2.weightGradient(df_ND, a_NF, &pass)
    let da_NF = linear2.inputGradient(df_ND, &pass)
    let keep = pass.restoreMask(probability: dropout)
    pass.clock.measure(.activation) {
      kernel_silu_dropout_backward(
        h_NF.rows, h_NF.columns, h_NF.base, keep, 1 / (1 - dropout), da_NF.base, da_NF.base,
        pass.gradient(of: linear1.bias!).base)
    }
    linear1.weightGradient(da_NF, n_ND, &pass)
    let dx_ND = norm.backward(linear1.inputGradient(da_NF, &pass), &pass)
    pass.add(dy_ND, to: dx_ND)
    return dx_ND
  }
}
