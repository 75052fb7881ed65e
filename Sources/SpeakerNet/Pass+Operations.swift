import CKernels
import TensorCore

// The passes over memory that several layers share, each on the kernel that does it, timed by its phase.
extension Pass {
  /// Every row of `x` plus the bias.
  func addBias(_ bias: Parameter, to x_ND: Matrix) {
    clock.measure(.activation) { kernel_add_bias(x_ND.rows, x_ND.columns, self[bias].base, x_ND.base) }
  }

  /// The bias's gradient: the sum of the rows.
  func addBiasGradient(of bias: Parameter, from dy_ND: Matrix) {
    clock.measure(.activation) {
      kernel_column_sums(dy_ND.rows, dy_ND.columns, dy_ND.base, gradient(of: bias).base)
    }
  }

  /// `y += x`
  func add(_ x: Matrix, to y: Matrix) {
    clock.measure(.activation) { kernel_add(x.count, x.base, y.base) }
  }

  /// Dropout in place, its mask kept for ``dropoutBackward(_:probability:)``.
  mutating func dropout(_ x: Matrix, probability: Float) {
    guard let keep = mask(x.count, probability: probability) else { return }
    clock.measure(.dropout) { kernel_dropout(x.count, x.base, keep, 1 / (1 - probability), x.base) }
  }

  /// The gradient of ``dropout(_:probability:)``, in place.
  func dropoutBackward(_ dx: Matrix, probability: Float) {
    guard let keep = restoreMask(probability: probability) else { return }
    clock.measure(.dropout) { kernel_dropout(dx.count, dx.base, keep, 1 / (1 - probability), dx.base) }
  }

  /// `x = relu(x + bias)`, then dropout; the result is all that the backward pass needs.
  mutating func biasReLUDropout(_ x_ND: Matrix, _ bias: Parameter, probability: Float) {
    let keep = mask(x_ND.count, probability: probability)
    clock.measure(.activation) {
      kernel_bias_relu_dropout(
        x_ND.rows, x_ND.columns, self[bias].base, keep, 1 / (1 - probability), x_ND.base)
    }
  }

  /// `dy` becomes the gradient before bias, ReLU and dropout; y is their result.
  mutating func biasReLUDropoutBackward(
    _ dy_ND: Matrix, result y_ND: Matrix, _ bias: Parameter, probability: Float
  ) {
    let dropped = restoreMask(probability: probability) != nil
    clock.measure(.activation) {
      kernel_relu_dropout_backward(
        y_ND.rows, y_ND.columns, y_ND.base, dropped ? 1 / (1 - probability) : 1, dy_ND.base, dy_ND.base,
        gradient(of: bias).base)
    }
  }

  /// `x += factor · dropout(branch + bias)`
  mutating func addBranch(
    _ branch: Matrix, _ bias: Parameter, factor: Float = 1, probability: Float, to x_ND: Matrix
  ) {
    let keep = mask(x_ND.count, probability: probability)
    clock.measure(.dropout) {
      kernel_add_branch(
        x_ND.rows, x_ND.columns, branch.base, self[bias].base, keep, 1 / (1 - probability), factor, x_ND.base)
    }
  }

  /// The branch's gradient, in memory of its own, from the sum's gradient; adds the bias's.
  mutating func branchGradient(
    _ dy_ND: Matrix, _ bias: Parameter, factor: Float = 1, probability: Float
  ) -> Matrix {
    let dbranch = matrix(dy_ND.rows, dy_ND.columns)
    let keep = restoreMask(probability: probability)
    clock.measure(.dropout) {
      kernel_bias_dropout_backward(
        dy_ND.rows, dy_ND.columns, keep, keep == nil ? factor : factor / (1 - probability), dy_ND.base,
        dbranch.base, gradient(of: bias).base)
    }
    return dbranch
  }

  /// Runs a part of a layer and gives back the memory it took, but for what it took of ``kept(_:_:)`` in training.
  mutating func temporarily(_ body: (inout Pass) -> Void) {
    let mark = arena.mark
    body(&self)
    arena.release(to: mark)
  }

  /// Runs a layer whose temporaries are not needed after it: in evaluation its memory is given back but for the
  /// result, so that a whole utterance of any length fits.
  mutating func scoped(
    resultLike x: Matrix, _ body: (inout Pass) -> Matrix
  ) -> Matrix {
    if isTraining { return body(&self) }
    let result = matrix(x.rows, x.columns)
    let mark = arena.mark
    result.copy(from: body(&self))
    arena.release(to: mark)
    return result
  }

  /// Runs a layer's backward pass and gives back all it took but the input's gradient.
  mutating func scopedBackward(like dy: Matrix, _ body: (inout Pass) -> Matrix) -> Matrix {
    let result = matrix(dy.rows, dy.columns)
    let mark = arena.mark
    result.copy(from: body(&self))
    arena.release(to: mark)
    return result
  }
}
