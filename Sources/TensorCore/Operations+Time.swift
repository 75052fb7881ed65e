import CKernels

// What goes along the frames of each sample: convolutions and pooling. Rows of a frame matrix are those of all samples,
// `frames` of each, so N = B · T.

// MARK: Convolution

extension MatrixOperations {
  /// `y[t, d] = bias[d] + Σ_k weight[k, d] · x[t + k - K/2, d]` within each sample, zeros beyond its ends; K is odd,
  /// the bias may be missing.
  ///
  /// - Parameter padded: room for a sample, [T + K - 1, D].
  public func depthwiseConvolution(
    _ x_ND: Matrix, _ weight_KD: Matrix, _ bias_D: Matrix?, frames T: Int, padded: Matrix, into y_ND: Matrix
  ) {
    let K = weight_KD.rows, D = x_ND.columns
    assert(x_ND.count == y_ND.count && weight_KD.columns == D && padded.count >= (T + K - 1) * D)
    compute(.convolution) {
      for sample in 0..<x_ND.rows / max(1, T) {
        let start = sample * T * D
        kernel_depthwise(
          T, D, K, x_ND.base + start, weight_KD.base, bias_D?.base, padded.base, y_ND.base + start)
      }
    }
  }

  /// `dweight[k, d] = Σ_t dy[t, d] · x[t + k - K/2, d]`, over all samples.
  public func depthwiseWeightGradient(
    _ dy_ND: Matrix, _ x_ND: Matrix, frames T: Int, padded: Matrix, into dweight_KD: Matrix
  ) {
    let K = dweight_KD.rows, D = x_ND.columns
    assert(x_ND.count == dy_ND.count && dweight_KD.columns == D && padded.count >= (T + K - 1) * D)
    compute(.convolution) {
      dweight_KD.clear()
      for sample in 0..<x_ND.rows / max(1, T) {
        let start = sample * T * D
        kernel_depthwise_weight_gradient(
          T, D, K, x_ND.base + start, dy_ND.base + start, padded.base, dweight_KD.base)
      }
    }
  }

  /// `windows[t] = [x[t - 1], x[t], x[t + 1]]` within each sample, zeros beyond its ends: what a convolution of width
  /// 3 multiplies.
  public func windows3(_ x_ND: Matrix, frames T: Int, into windows_N3D: Matrix) {
    let D = x_ND.columns
    assert(windows_N3D.count == 3 * x_ND.count && x_ND.isDense)
    compute(.convolution) {
      for sample in 0..<x_ND.rows / max(1, T) {
        kernel_windows3(T, D, x_ND.base + sample * T * D, windows_N3D.base + sample * T * 3 * D)
      }
    }
  }

  /// `dx[t]`: the sum of the parts of `dwindows` that came from `x[t]`.
  public func windows3Backward(_ dwindows_N3D: Matrix, frames T: Int, into dx_ND: Matrix) {
    let D = dx_ND.columns
    assert(dwindows_N3D.count == 3 * dx_ND.count && dx_ND.isDense)
    compute(.convolution) {
      for sample in 0..<dx_ND.rows / max(1, T) {
        kernel_windows3_backward(T, D, dwindows_N3D.base + sample * T * 3 * D, dx_ND.base + sample * T * D)
      }
    }
  }

  /// `y_CR = x_RCᵀ`
  public func transpose(_ x_RC: Matrix, into y_CR: Matrix) {
    assert(y_CR.rows == x_RC.columns && y_CR.columns == x_RC.rows && x_RC.isDense && y_CR.isDense)
    compute(.convolution) { kernel_transpose(x_RC.rows, x_RC.columns, x_RC.base, y_CR.base) }
  }

  /// Each row of `x` is a matrix [R, C], laid out row by row; the same row of `y` is its transpose.
  public func transposeRows(_ x: Matrix, as R: Int, _ C: Int, into y: Matrix) {
    assert(x.columns == R * C && x.count == y.count && x.isDense && y.isDense)
    compute(.convolution) {
      for row in 0..<x.rows { kernel_transpose(R, C, x.base + row * R * C, y.base + row * R * C) }
    }
  }
}

// MARK: Pooling

extension MatrixOperations {
  /// `mean_BD`: the mean over the frames of each sample of `x_ND`.
  public func meanOverFrames(_ x_ND: Matrix, into mean_BD: Matrix) {
    assert(mean_BD.columns == x_ND.columns && x_ND.isDense)
    let B = mean_BD.rows
    compute(.other) {
      kernel_mean_rows(B, x_ND.rows / max(1, B), x_ND.columns, x_ND.base, mean_BD.base)
    }
  }

  /// Every frame of a sample gets `dmean / T`.
  public func meanOverFramesBackward(_ dmean_BD: Matrix, into dx_ND: Matrix) {
    assert(dmean_BD.columns == dx_ND.columns && dx_ND.isDense)
    let B = dmean_BD.rows
    compute(.other) {
      kernel_mean_rows_backward(B, dx_ND.rows / max(1, B), dx_ND.columns, dmean_BD.base, dx_ND.base)
    }
  }

  /// `sum_BD = Σ_t weights_BT · x_ND` over the frames of each sample.
  public func weightedSumOverFrames(_ x_ND: Matrix, _ weights_BT: Matrix, into sum_BD: Matrix) {
    assert(weights_BT.count == x_ND.rows && sum_BD.columns == x_ND.columns && x_ND.isDense)
    compute(.other) {
      kernel_weighted_rows(
        weights_BT.rows, weights_BT.columns, x_ND.columns, weights_BT.base, x_ND.base, sum_BD.base)
    }
  }

  /// `dweights_BT = x · dsum` and `dx_ND = weights · dsum`.
  public func weightedSumOverFramesBackward(
    _ dsum_BD: Matrix, _ x_ND: Matrix, _ weights_BT: Matrix, dweights dweights_BT: Matrix, into dx_ND: Matrix
  ) {
    assert(weights_BT.count == x_ND.rows && dweights_BT.count == x_ND.rows && dx_ND.count == x_ND.count)
    compute(.other) {
      kernel_weighted_rows_backward(
        weights_BT.rows, weights_BT.columns, x_ND.columns, weights_BT.base, x_ND.base, dsum_BD.base,
        dweights_BT.base, dx_ND.base)
    }
  }
}
