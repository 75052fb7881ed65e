import CKernels
import TensorCore

/// `y = a ∘ σ(b)` for x = [a, b] side by side, after adding a bias (Dauphin et al., arXiv 1612.08083).
package struct GatedLinearUnit: Sendable {
  /// The bias of the product before it, [2D]; none where that has none.
  let bias: Parameter?

  package init(bias: Parameter?) { self.bias = bias }

  /// x_N2D, which keeps its bias, to y_ND.
  package func forward(_ x_N2D: Matrix, _ pass: inout Pass) -> Matrix {
    let y_ND = pass.matrix(x_N2D.rows, x_N2D.columns / 2)
    let bias_2D = bias.map { pass[$0].base }
    pass.clock.measure(.activation) {
      kernel_bias_glu(y_ND.rows, y_ND.columns, bias_2D, x_N2D.base, y_ND.base)
    }
    pass.save(x_N2D)
    return y_ND
  }

  /// The gradient before the bias, [N, 2D], and the output once more, in dy's memory, so that nobody need keep it.
  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> (dx_N2D: Matrix, y_ND: Matrix) {
    let x_N2D = pass.restore()
    let dx_N2D = pass.matrix(x_N2D.rows, x_N2D.columns)
    let dbias_2D = bias.map { pass.gradient(of: $0).base }
    pass.clock.measure(.activation) {
      kernel_glu_backward(
        dy_ND.rows, dy_ND.columns, x_N2D.base, dy_ND.base, dx_N2D.base, dy_ND.base, dbias_2D)
    }
    return (dx_N2D, dy_ND)
  }
}
