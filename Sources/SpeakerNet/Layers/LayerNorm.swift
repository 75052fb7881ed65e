import CKernels
import TensorCore

/// `y = (x - mean) / √(variance + 1e-5) ∘ weight + bias`, each row by its own statistics
/// (Ba, Kiros and Hinton, arXiv 1607.06450).
package struct LayerNorm: Layer {
  static let epsilon: Float = 1e-5
  /// γ and β, [D].
  package let weight: Parameter, bias: Parameter

  /// Registers `name.weight` at one and `name.bias` at zero.
  package init(_ name: String, width: Int, in layout: inout ParameterLayout) {
    weight = layout.add("\(name).weight", [width], .ones)
    bias = layout.add("\(name).bias", [width], .zeros)
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let y_ND = pass.matrix(x_ND.rows, x_ND.columns)
    forward(x_ND, into: y_ND, &pass)
    return y_ND
  }

  /// ``forward(_:_:)`` into given memory, which may be x's.
  func forward(_ x_ND: Matrix, into y_ND: Matrix, _ pass: inout Pass) {
    let normalized = Normalized(
      xhat_ND: pass.kept(x_ND.rows, x_ND.columns), rstd: pass.kept(1, x_ND.rows))
    pass.clock.measure(.normalization) {
      kernel_norm(
        x_ND.rows, x_ND.columns, x_ND.base, pass[weight].base, pass[bias].base, Self.epsilon, y_ND.base,
        normalized.xhat_ND.base, normalized.rstd.base)
    }
    normalized.save(pass)
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    backward(dy_ND, Normalized(restoredFrom: pass), pass)
  }

  /// ``backward(_:_:)`` where the caller has restored what was saved, in dy's memory.
  func backward(_ dy_ND: Matrix, _ normalized: Normalized, _ pass: Pass) -> Matrix {
    pass.clock.measure(.normalization) {
      kernel_norm_backward(
        dy_ND.rows, dy_ND.columns, normalized.xhat_ND.base, normalized.rstd.base, pass[weight].base,
        dy_ND.base, dy_ND.base, pass.gradient(of: weight).base, pass.gradient(of: bias).base)
    }
    return dy_ND
  }

  /// `LayerNorm(x + dropout(branch + branchBias))` in one pass over the memory; the branch's is used up.
  package func addingForward(
    _ x_ND: Matrix, branch: Matrix, _ branchBias: Parameter, probability: Float, _ pass: inout Pass
  ) -> Matrix {
    let y_ND = pass.matrix(x_ND.rows, x_ND.columns)
    let rstd_N = pass.matrix(1, x_ND.rows)
    let keep = pass.mask(x_ND.count, probability: probability)
    pass.clock.measure(.normalization) {
      kernel_residual_norm(
        x_ND.rows, x_ND.columns, x_ND.base, branch.base, pass[branchBias].base, keep, 1 / (1 - probability),
        pass[weight].base, pass[bias].base, Self.epsilon, y_ND.base, branch.base, rstd_N.base)
    }
    Normalized(xhat_ND: branch, rstd: rstd_N).save(pass)
    return y_ND
  }

  /// The gradients of `x` (in dy's memory) and of the branch; adds those of the parameters and the branch's bias.
  package func addingBackward(
    _ dy_ND: Matrix, _ branchBias: Parameter, probability: Float, _ pass: inout Pass
  ) -> (dx: Matrix, dbranch: Matrix) {
    let dx_ND = backward(dy_ND, &pass)
    return (dx_ND, pass.branchGradient(dx_ND, branchBias, probability: probability))
  }
}
