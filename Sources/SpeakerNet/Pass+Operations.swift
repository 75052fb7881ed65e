import TensorCore

// Operations whose dropout mask is drawn on the way forward and taken from the tape on the way back, and the scopes
// in which a layer's memory is given back.

extension Pass {
  /// `x = dropout(x)`, in place.
  mutating func dropout(_ x: Matrix, probability: Float) {
    let mask = mask(x.count, probability: probability)
    dropout(x, mask, into: x)
  }

  /// The gradient of ``dropout(_:probability:)``, in place.
  func dropoutBackward(_ dx: Matrix, probability: Float) {
    dropout(dx, restoreMask(probability: probability), into: dx)
  }

  /// `x = dropout(relu(x + bias))`, in place; the result is all that the backward pass needs.
  mutating func biasReLUDropout(_ x_ND: Matrix, _ bias: Parameter, probability: Float) {
    let mask = mask(x_ND.count, probability: probability)
    biasReLUDropout(x_ND, self[bias], mask)
  }

  /// `dy` becomes the gradient before bias, ReLU and dropout, whose result was y; adds the bias's.
  func biasReLUDropoutBackward(_ dy_ND: Matrix, result y_ND: Matrix, _ bias: Parameter, probability: Float) {
    biasReLUDropoutBackward(
      dy_ND, result: y_ND, restoreMask(probability: probability), dbias: gradient(of: bias))
  }

  /// `x += factor · dropout(branch + bias)`
  mutating func addBranch(
    _ branch_ND: Matrix, _ bias: Parameter, factor: Float = 1, probability: Float, to x_ND: Matrix
  ) {
    let mask = mask(x_ND.count, probability: probability)
    addBranch(branch_ND, self[bias], factor: factor, mask, to: x_ND)
  }

  /// The branch's gradient, in memory of its own, from the sum's; adds the bias's.
  func addBranchBackward(
    _ dy_ND: Matrix, _ bias: Parameter, factor: Float = 1, probability: Float
  ) -> Matrix {
    let dbranch_ND = matrix(dy_ND.rows, dy_ND.columns)
    addBranchBackward(
      dy_ND, factor: factor, restoreMask(probability: probability), into: dbranch_ND,
      dbias: gradient(of: bias))
    return dbranch_ND
  }

  /// Writes a gradient that was computed elsewhere to a weight's, or adds it to those of earlier parts and uses.
  func store(_ dweight: Matrix, asGradientOf weight: Parameter) {
    let stored = gradient(of: weight)
    if isAccumulating { add(dweight, to: stored) } else { stored.copy(from: dweight) }
  }
}

extension Pass {
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
