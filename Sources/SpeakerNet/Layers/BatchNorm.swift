import CKernels
import TensorCore

/// BatchNorm over the rows of the whole global batch (Ioffe and Szegedy, arXiv 1502.03167), `nn.BatchNorm1d`.
///
/// Statistics and their gradients are summed over the slices of the batch in the one fixed order, so any number
/// of ranks gives the bits of a single process. The variance is taken around the mean, which costs a second sum
/// and cancels nothing. Running statistics take the unbiased variance with momentum 0.1, as PyTorch's do.
package struct BatchNorm: Layer {
  static let epsilon: Float = 1e-5
  static let momentum: Float = 0.1

  /// γ and β, [D].
  package let weight: Parameter, bias: Parameter
  let mean: Buffer, variance: Buffer

  /// Registers `name.{weight,bias}` and the running statistics.
  package init(_ name: String, width: Int, in layout: inout ParameterLayout) {
    weight = layout.add("\(name).weight", [width], .ones)
    bias = layout.add("\(name).bias", [width], .zeros)
    (mean, variance) = layout.addStatistics(name, channels: width)
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let xhat_ND = pass.kept(x_ND.rows, x_ND.columns)
    xhat_ND.copy(from: x_ND)
    return forward(normalizing: xhat_ND, &pass)
  }

  /// ``forward(_:_:)`` for an input in kept memory, which is used up.
  func forward(normalizing x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let D = x_ND.columns
    let mean_D = pass.matrix(1, D)
    let rstd_D = pass.kept(1, D)
    if pass.isTraining {
      batchStatistics(of: x_ND, mean_D, rstd_D, &pass)
    } else {
      mean_D.base.update(from: pass.state.statistics + mean.offset, count: D)
      let variance_D = pass.state.statistics + variance.offset
      for i in 0..<D { rstd_D.base[i] = 1 / (variance_D[i] + Self.epsilon).squareRoot() }
    }
    let y_ND = pass.matrix(x_ND.rows, D)
    pass.clock.measure(.normalization) {
      kernel_batch_norm(
        x_ND.rows, D, mean_D.base, rstd_D.base, pass[weight].base, pass[bias].base, x_ND.base, x_ND.base,
        y_ND.base)
    }
    Normalized(xhat_ND: x_ND, rstd: rstd_D).save(pass)
    return y_ND
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    backward(dy_ND, Normalized(restoredFrom: pass), &pass)
  }

  /// ``backward(_:_:)`` where the caller has restored what was saved, in dy's memory.
  func backward(_ dy_ND: Matrix, _ normalized: Normalized, _ pass: inout Pass) -> Matrix {
    let D = dy_ND.columns
    let xhat_ND = normalized.xhat_ND
    // Row 0: Σ dy∘xhat, row 1: Σ dy; of this slice for the parameters, of the whole batch for the input.
    let sums_2D = pass.matrix(2, D)
    sums_2D.clear()
    pass.clock.measure(.normalization) {
      kernel_batch_norm_sums(
        dy_ND.rows, D, xhat_ND.base, dy_ND.base, sums_2D.base, sums_2D.base + D)
    }
    pass.add(sums_2D.rows(0..<1), to: pass.gradient(of: weight))
    pass.add(sums_2D.rows(1..<2), to: pass.gradient(of: bias))
    pass.sumOverBatch(sums_2D.base, count: 2 * D)
    pass.clock.measure(.normalization) {
      kernel_scale(2 * D, 1 / Float(globalRows(dy_ND, pass)), sums_2D.base, sums_2D.base)
      kernel_batch_norm_backward(
        dy_ND.rows, D, xhat_ND.base, normalized.rstd.base, pass[weight].base, sums_2D.base + D, sums_2D.base,
        dy_ND.base,
        dy_ND.base)
    }
    return dy_ND
  }

  private func batchStatistics(of x_ND: Matrix, _ mean_D: Matrix, _ rstd_D: Matrix, _ pass: inout Pass) {
    let D = x_ND.columns
    let rows = globalRows(x_ND, pass)
    mean_D.clear()
    pass.clock.measure(.normalization) { kernel_column_sums(x_ND.rows, D, x_ND.base, mean_D.base) }
    pass.sumOverBatch(mean_D.base, count: D)
    kernel_scale(D, 1 / Float(rows), mean_D.base, mean_D.base)
    let squares_D = pass.matrix(1, D)
    squares_D.clear()
    pass.clock.measure(.normalization) {
      kernel_column_squares(x_ND.rows, D, mean_D.base, x_ND.base, squares_D.base)
    }
    pass.sumOverBatch(squares_D.base, count: D)
    for i in 0..<D { rstd_D.base[i] = 1 / (squares_D.base[i] / Float(rows) + Self.epsilon).squareRoot() }
    guard pass.batchSum?.writesStatistics ?? true else { return }
    let runningMean = pass.state.statistics + mean.offset
    let runningVariance = pass.state.statistics + variance.offset
    for i in 0..<D {
      let unbiased = squares_D.base[i] / Float(max(1, rows - 1))
      runningMean[i] = (1 - Self.momentum) * runningMean[i] + Self.momentum * mean_D.base[i]
      runningVariance[i] = (1 - Self.momentum) * runningVariance[i] + Self.momentum * unbiased
    }
  }

  /// Rows of the whole batch: every sample has as many as those of this slice.
  private func globalRows(_ x: Matrix, _ pass: Pass) -> Int {
    x.rows / max(1, pass.samples) * pass.globalSamples
  }
}
