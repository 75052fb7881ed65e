import CKernels
import TensorCore

/// What a norm saves for its backward pass.
struct Normalized {
  /// The input less its mean, divided by its standard deviation.
  let xhat_ND: Matrix
  /// One over the standard deviations, of the rows (LayerNorm) or of the columns (BatchNorm).
  let rstd: Matrix

  init(xhat_ND: Matrix, rstd: Matrix) {
    self.xhat_ND = xhat_ND
    self.rstd = rstd
  }

  func save(_ pass: Pass) {
    pass.save(xhat_ND)
    pass.save(rstd)
  }

  init(restoredFrom pass: Pass) {
    rstd = pass.restore()
    xhat_ND = pass.restore()
  }

  /// The norm's output once more: to multiply again costs less than to fetch what was kept.
  func output(_ weight: Parameter, _ bias: Parameter, _ pass: inout Pass) -> Matrix {
    let y_ND = pass.matrix(xhat_ND.rows, xhat_ND.columns)
    pass.clock.measure(.normalization) {
      kernel_scale_shift(
        y_ND.rows, y_ND.columns, pass[weight].base, pass[bias].base, xhat_ND.base, y_ND.base)
    }
    return y_ND
  }
}
