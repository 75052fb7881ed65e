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
    pass.scaleAndShift(xhat_ND, pass[weight], pass[bias], into: y_ND)
    return y_ND
  }
}

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
    let xhat_ND = pass.kept(x_ND.rows, x_ND.columns), rstd_N = pass.kept(1, x_ND.rows)
    pass.layerNorm(
      x_ND, pass[weight], pass[bias], epsilon: Self.epsilon, into: y_ND, xhat: xhat_ND, rstd: rstd_N)
    Normalized(xhat_ND: xhat_ND, rstd: rstd_N).save(pass)
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    backward(dy_ND, Normalized(restoredFrom: pass), pass)
  }

  /// ``backward(_:_:)`` where the caller has restored what was saved, in dy's memory.
  func backward(_ dy_ND: Matrix, _ normalized: Normalized, _ pass: Pass) -> Matrix {
    pass.layerNormBackward(
      dy_ND, xhat: normalized.xhat_ND, rstd: normalized.rstd, pass[weight],
      dweight: pass.gradient(of: weight),
      dbias: pass.gradient(of: bias))
    return dy_ND
  }

  /// `LayerNorm(x + dropout(branch + branchBias))` in one pass over the memory; the branch's is used up.
  package func addingForward(
    _ x_ND: Matrix, branch branch_ND: Matrix, _ branchBias: Parameter, probability: Float, _ pass: inout Pass
  ) -> Matrix {
    let y_ND = pass.matrix(x_ND.rows, x_ND.columns)
    let rstd_N = pass.matrix(1, x_ND.rows)
    let mask = pass.mask(x_ND.count, probability: probability)
    pass.layerNormOfSum(
      x_ND, branch: branch_ND, pass[branchBias], mask, pass[weight], pass[bias], epsilon: Self.epsilon,
      into: y_ND, rstd: rstd_N)
    Normalized(xhat_ND: branch_ND, rstd: rstd_N).save(pass)
    return y_ND
  }

  /// The gradients of `x` (in dy's memory) and of the branch; adds those of the parameters and the branch's bias.
  package func addingBackward(
    _ dy_ND: Matrix, _ branchBias: Parameter, probability: Float, _ pass: inout Pass
  ) -> (dx: Matrix, dbranch: Matrix) {
    let dx_ND = backward(dy_ND, &pass)
    return (dx_ND, pass.addBranchBackward(dx_ND, branchBias, probability: probability))
  }
}

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
  let runningMean: Buffer, runningVariance: Buffer

  /// Registers `name.{weight,bias}` and the running statistics.
  package init(_ name: String, width: Int, in layout: inout ParameterLayout) {
    weight = layout.add("\(name).weight", [width], .ones)
    bias = layout.add("\(name).bias", [width], .zeros)
    (runningMean, runningVariance) = layout.addStatistics(name, channels: width)
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let xhat_ND = pass.kept(x_ND.rows, x_ND.columns)
    xhat_ND.copy(from: x_ND)
    return forward(normalizing: xhat_ND, &pass)
  }

  /// ``forward(_:_:)`` for an input in kept memory, which is used up.
  func forward(normalizing x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let mean_D = pass.matrix(1, x_ND.columns)
    let rstd_D = pass.kept(1, x_ND.columns)
    if pass.isTraining {
      batchStatistics(of: x_ND, mean_D, rstd_D, &pass)
    } else if !pass.isPlanned {
      mean_D.copy(from: pass[runningMean])
      rstd_D.copy(from: pass[runningVariance])
      for d in 0..<rstd_D.columns { rstd_D[0, d] = 1 / (rstd_D[0, d] + Self.epsilon).squareRoot() }
    }
    let y_ND = pass.matrix(x_ND.rows, x_ND.columns)
    pass.batchNorm(x_ND, mean: mean_D, rstd: rstd_D, pass[weight], pass[bias], into: y_ND)
    Normalized(xhat_ND: x_ND, rstd: rstd_D).save(pass)
    return y_ND
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    backward(dy_ND, Normalized(restoredFrom: pass), &pass)
  }

  /// ``backward(_:_:)`` where the caller has restored what was saved, in dy's memory.
  func backward(_ dy_ND: Matrix, _ normalized: Normalized, _ pass: inout Pass) -> Matrix {
    // Of this slice for the parameters, of the whole batch for the input.
    let sums_2D = pass.matrix(2, dy_ND.columns)
    pass.batchNormSums(dy_ND, xhat: normalized.xhat_ND, into: sums_2D)
    pass.add(sums_2D.rows(0..<1), to: pass.gradient(of: weight))
    pass.add(sums_2D.rows(1..<2), to: pass.gradient(of: bias))
    pass.sumOverBatch(sums_2D.base, count: sums_2D.count)
    pass.scale(sums_2D, by: 1 / Float(globalRows(dy_ND, pass)))
    pass.batchNormBackward(
      dy_ND, xhat: normalized.xhat_ND, rstd: normalized.rstd, pass[weight], means: sums_2D)
    return dy_ND
  }

  /// Mean and one over the standard deviation of the whole batch; the running statistics follow them.
  private func batchStatistics(of x_ND: Matrix, _ mean_D: Matrix, _ rstd_D: Matrix, _ pass: inout Pass) {
    let rows = globalRows(x_ND, pass)
    pass.columnSums(x_ND, into: mean_D)
    pass.sumOverBatch(mean_D.base, count: mean_D.count)
    pass.scale(mean_D, by: 1 / Float(rows))
    let squares_D = pass.matrix(1, x_ND.columns)
    pass.columnSquares(x_ND, around: mean_D, into: squares_D)
    pass.sumOverBatch(squares_D.base, count: squares_D.count)
    guard !pass.isPlanned else { return }
    for d in 0..<x_ND.columns {
      rstd_D[0, d] = 1 / (squares_D[0, d] / Float(rows) + Self.epsilon).squareRoot()
    }
    guard pass.writesStatistics else { return }
    let (runningMean_D, runningVariance_D) = (pass[runningMean], pass[runningVariance])
    for d in 0..<x_ND.columns {
      let unbiased = squares_D[0, d] / Float(max(1, rows - 1))
      runningMean_D[0, d] = (1 - Self.momentum) * runningMean_D[0, d] + Self.momentum * mean_D[0, d]
      runningVariance_D[0, d] = (1 - Self.momentum) * runningVariance_D[0, d] + Self.momentum * unbiased
    }
  }

  /// Rows of the whole batch: every sample has as many as those of this slice.
  private func globalRows(_ x: Matrix, _ pass: Pass) -> Int {
    x.rows / max(1, pass.samples) * pass.globalSamples
  }
}
