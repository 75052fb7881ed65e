import CKernels

// Activations, each with the bias before it and the dropout after it, since they read and write the same memory.
// A backward pass turns `dy` into the gradient before the bias, in place, and adds its column sums to `dbias`.
extension MatrixOperations {
  /// `x_ND = dropout(relu(x_ND + bias_D))`, in place; the result is all that the backward pass needs.
  public func biasReLUDropout(_ x_ND: Matrix, _ bias_D: Matrix, _ mask: DropoutMask) {
    assert(bias_D.count == x_ND.columns && x_ND.isDense)
    compute(.activation) {
      kernel_bias_relu_dropout(x_ND.rows, x_ND.columns, bias_D.base, mask.keep, mask.scale, x_ND.base)
    }
  }

  /// `dy = dy · scale` where the result y was positive, else 0.
  public func biasReLUDropoutBackward(
    _ dy_ND: Matrix, result y_ND: Matrix, _ mask: DropoutMask, dbias dbias_D: Matrix
  ) {
    assert(dy_ND.count == y_ND.count && dbias_D.count == dy_ND.columns && dy_ND.isDense)
    compute(.activation) {
      kernel_relu_dropout_backward(
        y_ND.rows, y_ND.columns, y_ND.base, mask.scale, dy_ND.base, dy_ND.base, dbias_D.base)
    }
  }

  /// `x_ND += bias_D`, to be kept, and `y_ND = dropout(x · σ(x))`
  public func biasSiLUDropout(_ x_ND: Matrix, _ bias_D: Matrix, _ mask: DropoutMask, into y_ND: Matrix) {
    assert(x_ND.count == y_ND.count && bias_D.count == x_ND.columns && x_ND.isDense)
    compute(.activation) {
      kernel_bias_silu_dropout(
        x_ND.rows, x_ND.columns, bias_D.base, mask.keep, mask.scale, x_ND.base, y_ND.base)
    }
  }

  /// `dy = dropout(dy) · silu'(x)` from the kept x, and once more the result y: computing costs less than keeping.
  public func biasSiLUDropoutBackward(
    _ dy_ND: Matrix, input x_ND: Matrix, _ mask: DropoutMask, resultInto y_ND: Matrix, dbias dbias_D: Matrix
  ) {
    assert(dy_ND.count == x_ND.count && y_ND.count == x_ND.count && dbias_D.count == x_ND.columns)
    compute(.activation) {
      kernel_silu_dropout_backward(
        x_ND.rows, x_ND.columns, x_ND.base, mask.keep, mask.scale, dy_ND.base, dy_ND.base, y_ND.base,
        dbias_D.base)
    }
  }

  /// `x = x · σ(x)`, in place.
  public func silu(_ x: Matrix) {
    assert(x.isDense)
    compute(.activation) { kernel_silu(x.count, x.base) }
  }

  /// `dy = dy · silu'(x)`, in place, and `x = x · σ(x)` once more.
  public func siluBackward(_ dy: Matrix, input x: Matrix) {
    assert(dy.count == x.count && dy.isDense && x.isDense)
    compute(.activation) { kernel_silu_backward(x.count, x.base, dy.base, dy.base) }
  }

  /// `x_N2D += bias_2D` (nil: none), to be kept, and `y_ND = a ∘ σ(b)` for x = [a, b] side by side.
  public func biasGLU(_ x_N2D: Matrix, _ bias_2D: Matrix?, into y_ND: Matrix) {
    assert(x_N2D.count == 2 * y_ND.count && x_N2D.isDense && y_ND.isDense)
    compute(.activation) {
      kernel_bias_glu(y_ND.rows, y_ND.columns, bias_2D?.base, x_N2D.base, y_ND.base)
    }
  }

  /// `dx_N2D = [dy ∘ σ(b), dy ∘ a ∘ σ'(b)]` from the kept x; `dy` becomes the result `a ∘ σ(b)` once more.
  public func biasGLUBackward(
    _ dy_ND: Matrix, input x_N2D: Matrix, into dx_N2D: Matrix, dbias dbias_2D: Matrix?
  ) {
    assert(x_N2D.count == 2 * dy_ND.count && dx_N2D.count == x_N2D.count && dy_ND.isDense)
    compute(.activation) {
      kernel_glu_backward(
        dy_ND.rows, dy_ND.columns, x_N2D.base, dy_ND.base, dx_N2D.base, dy_ND.base, dbias_2D?.base)
    }
  }

  /// `x_ND = σ(x_ND + bias_D)`, in place.
  public func biasSigmoid(_ x_ND: Matrix, _ bias_D: Matrix) {
    assert(bias_D.count == x_ND.columns && x_ND.isDense)
    compute(.activation) { kernel_bias_sigmoid(x_ND.rows, x_ND.columns, bias_D.base, x_ND.base) }
  }

  /// `dy = dy · y · (1 - y)`
  public func biasSigmoidBackward(_ dy_ND: Matrix, result y_ND: Matrix, dbias dbias_D: Matrix) {
    assert(dy_ND.count == y_ND.count && dbias_D.count == dy_ND.columns && dy_ND.isDense)
    compute(.activation) {
      kernel_sigmoid_backward(y_ND.rows, y_ND.columns, y_ND.base, dy_ND.base, dy_ND.base, dbias_D.base)
    }
  }

  /// `x_ND = tanh(x_ND + bias_D)`, in place.
  public func biasTanh(_ x_ND: Matrix, _ bias_D: Matrix) {
    assert(bias_D.count == x_ND.columns && x_ND.isDense)
    compute(.activation) { kernel_bias_tanh(x_ND.rows, x_ND.columns, bias_D.base, x_ND.base) }
  }

  /// `dy = dy · (1 - y²)`
  public func biasTanhBackward(_ dy_ND: Matrix, result y_ND: Matrix, dbias dbias_D: Matrix) {
    assert(dy_ND.count == y_ND.count && dbias_D.count == dy_ND.columns && dy_ND.isDense)
    compute(.activation) {
      kernel_tanh_backward(y_ND.rows, y_ND.columns, y_ND.base, dy_ND.base, dy_ND.base, dbias_D.base)
    }
  }
}

// MARK: Softmax

extension MatrixOperations {
  /// `x_ND = softmax(temperature · x_ND)` of each row, in place, and `dropped_ND = dropout(x)`.
  ///
  /// Gives the matrix that holds the result after dropout: without a mask it is `x`, and `dropped` is not written.
  @discardableResult
  public func softmax(
    _ x_ND: Matrix, temperature: Float = 1, _ mask: DropoutMask = .none, dropped dropped_ND: Matrix? = nil
  ) -> Matrix {
    assert(x_ND.isDense && (mask.isNone || dropped_ND?.count == x_ND.count))
    compute(.softmax) {
      kernel_softmax_dropout(
        x_ND.rows, x_ND.columns, temperature, mask.keep, mask.scale, x_ND.base, dropped_ND?.base)
    }
    return mask.isNone ? x_ND : dropped_ND!
  }

  /// `dy = temperature · (dp - Σ dp ∘ p) ∘ p` with `dp = dropout(dy)` and the softmax's result p, in place.
  public func softmaxBackward(
    _ dy_ND: Matrix, result p_ND: Matrix, temperature: Float = 1, _ mask: DropoutMask = .none
  ) {
    assert(dy_ND.count == p_ND.count && dy_ND.isDense && p_ND.isDense)
    compute(.softmax) {
      kernel_softmax_dropout_backward(
        p_ND.rows, p_ND.columns, temperature, mask.keep, mask.scale, p_ND.base, dy_ND.base, dy_ND.base)
    }
  }

  /// `losses_B = -log softmax(y_BC)` at the label; `correct_B` is 1 where the first largest logit is the label's;
  /// `dy_BC = scale · (softmax(y_BC) - onehot(label))` (nil: not wanted).
  public func crossEntropy(
    _ y_BC: Matrix, labels: UnsafePointer<Int32>, losses: UnsafeMutablePointer<Float>,
    correct: UnsafeMutablePointer<Int32>, gradient dy_BC: Matrix?, scale: Float
  ) {
    assert(y_BC.isDense && dy_BC?.count ?? y_BC.count == y_BC.count)
    compute(.softmax) {
      kernel_cross_entropy(y_BC.rows, y_BC.columns, y_BC.base, labels, scale, losses, correct, dy_BC?.base)
    }
  }
}
