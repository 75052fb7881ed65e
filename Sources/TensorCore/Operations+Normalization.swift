import CKernels

// Normalisations. `xhat` is the input less its mean, divided by its standard deviation; `rstd` is one over the
// latter. Both are what a backward pass needs.

// MARK: LayerNorm

extension MatrixOperations {
  /// `xhat = (x - mean) · rstd` by each row's own statistics, `y_ND = xhat ∘ weight + bias`; `y` may be `x`.
  public func layerNorm(
    _ x_ND: Matrix, _ weight_D: Matrix, _ bias_D: Matrix, epsilon: Float, into y_ND: Matrix,
    xhat xhat_ND: Matrix, rstd rstd_N: Matrix
  ) {
    assert(x_ND.count == y_ND.count && x_ND.count == xhat_ND.count && rstd_N.count == x_ND.rows)
    compute(.normalization) {
      kernel_norm(
        x_ND.rows, x_ND.columns, x_ND.base, weight_D.base, bias_D.base, epsilon, y_ND.base, xhat_ND.base,
        rstd_N.base)
    }
  }

  /// LayerNorm of `x + dropout(branch + branchBias)`; the branch becomes xhat.
  public func layerNormOfSum(
    _ x_ND: Matrix, branch branch_ND: Matrix, _ branchBias_D: Matrix, _ mask: DropoutMask,
    _ weight_D: Matrix, _ bias_D: Matrix, epsilon: Float, into y_ND: Matrix, rstd rstd_N: Matrix
  ) {
    assert(x_ND.count == y_ND.count && x_ND.count == branch_ND.count && rstd_N.count == x_ND.rows)
    compute(.normalization) {
      kernel_residual_norm(
        x_ND.rows, x_ND.columns, x_ND.base, branch_ND.base, branchBias_D.base, mask.keep, mask.scale,
        weight_D.base, bias_D.base, epsilon, y_ND.base, branch_ND.base, rstd_N.base)
    }
  }

  /// The gradient of either's input (of the sum), in place of `dy`.
  public func layerNormBackward(
    _ dy_ND: Matrix, xhat xhat_ND: Matrix, rstd rstd_N: Matrix, _ weight_D: Matrix,
    dweight dweight_D: Matrix, dbias dbias_D: Matrix
  ) {
    assert(dy_ND.count == xhat_ND.count && rstd_N.count == dy_ND.rows && dy_ND.isDense)
    compute(.normalization) {
      kernel_norm_backward(
        dy_ND.rows, dy_ND.columns, xhat_ND.base, rstd_N.base, weight_D.base, dy_ND.base, dy_ND.base,
        dweight_D.base, dbias_D.base)
    }
  }

  /// `y_ND = xhat_ND ∘ weight_D + bias_D`: a norm's output once more.
  public func scaleAndShift(_ xhat_ND: Matrix, _ weight_D: Matrix, _ bias_D: Matrix, into y_ND: Matrix) {
    assert(xhat_ND.count == y_ND.count && weight_D.count == y_ND.columns && y_ND.isDense)
    compute(.normalization) {
      kernel_scale_shift(y_ND.rows, y_ND.columns, weight_D.base, bias_D.base, xhat_ND.base, y_ND.base)
    }
  }
}

// MARK: BatchNorm

extension MatrixOperations {
  /// `sums_D = ` the sum of the rows of `x_ND`.
  public func columnSums(_ x_ND: Matrix, into sums_D: Matrix) {
    assert(sums_D.count == x_ND.columns && x_ND.isDense)
    compute(.normalization) {
      sums_D.clear()
      kernel_column_sums(x_ND.rows, x_ND.columns, x_ND.base, sums_D.base)
    }
  }

  /// `squares_D = Σ (x - mean_D)²` over the rows of `x_ND`.
  public func columnSquares(_ x_ND: Matrix, around mean_D: Matrix, into squares_D: Matrix) {
    assert(mean_D.count == x_ND.columns && squares_D.count == x_ND.columns && x_ND.isDense)
    compute(.normalization) {
      squares_D.clear()
      kernel_column_squares(x_ND.rows, x_ND.columns, mean_D.base, x_ND.base, squares_D.base)
    }
  }

  /// `xhat = (x - mean_D) ∘ rstd_D`, in place of `x`, and `y_ND = xhat ∘ weight + bias`.
  public func batchNorm(
    _ x_ND: Matrix, mean mean_D: Matrix, rstd rstd_D: Matrix, _ weight_D: Matrix, _ bias_D: Matrix,
    into y_ND: Matrix
  ) {
    assert(x_ND.count == y_ND.count && mean_D.count == x_ND.columns && rstd_D.count == x_ND.columns)
    compute(.normalization) {
      kernel_batch_norm(
        x_ND.rows, x_ND.columns, mean_D.base, rstd_D.base, weight_D.base, bias_D.base, x_ND.base, x_ND.base,
        y_ND.base)
    }
  }

  /// Row 0 of `sums_2D`: `Σ dy ∘ xhat` over the rows, the weight's gradient; row 1: `Σ dy`, the bias's.
  public func batchNormSums(_ dy_ND: Matrix, xhat xhat_ND: Matrix, into sums_2D: Matrix) {
    assert(dy_ND.count == xhat_ND.count && sums_2D.rows == 2 && sums_2D.columns == dy_ND.columns)
    compute(.normalization) {
      sums_2D.clear()
      kernel_batch_norm_sums(
        dy_ND.rows, dy_ND.columns, xhat_ND.base, dy_ND.base, sums_2D.rows(0..<1).base,
        sums_2D.rows(1..<2).base)
    }
  }

  /// `dy = weight ∘ rstd ∘ (dy - mean(dy) - xhat ∘ mean(dy ∘ xhat))`, in place; `means_2D` are the sums of
  /// ``batchNormSums(_:xhat:into:)`` over the batch, divided by its rows.
  public func batchNormBackward(
    _ dy_ND: Matrix, xhat xhat_ND: Matrix, rstd rstd_D: Matrix, _ weight_D: Matrix, means means_2D: Matrix
  ) {
    assert(dy_ND.count == xhat_ND.count && means_2D.rows == 2 && means_2D.columns == dy_ND.columns)
    compute(.normalization) {
      kernel_batch_norm_backward(
        dy_ND.rows, dy_ND.columns, xhat_ND.base, rstd_D.base, weight_D.base, means_2D.rows(1..<2).base,
        means_2D.rows(0..<1).base, dy_ND.base, dy_ND.base)
    }
  }
}

// MARK: Rows of length one

extension MatrixOperations {
  /// `y_ND = x / |x|` of each row, `lengths_N = |x|`, at least 1e-12.
  public func normalizeRows(_ x_ND: Matrix, into y_ND: Matrix, lengths lengths_N: Matrix) {
    assert(x_ND.count == y_ND.count && lengths_N.count == x_ND.rows && x_ND.isDense)
    compute(.normalization) {
      kernel_normalize_rows(x_ND.rows, x_ND.columns, x_ND.base, y_ND.base, lengths_N.base)
    }
  }

  /// `dx_ND = (dy - y · (y·dy)) / |x|` of each row, or added to `dx`; `dx` may be `dy`.
  public func normalizeRowsBackward(
    _ dy_ND: Matrix, result y_ND: Matrix, lengths lengths_N: Matrix, into dx_ND: Matrix,
    accumulating: Bool = false
  ) {
    assert(dy_ND.count == y_ND.count && dx_ND.count == y_ND.count && lengths_N.count == y_ND.rows)
    compute(.normalization) {
      kernel_normalize_rows_backward(
        y_ND.rows, y_ND.columns, y_ND.base, lengths_N.base, dy_ND.base, accumulating ? 1 : 0, dx_ND.base)
    }
  }
}
