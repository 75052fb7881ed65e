import CKernels

/// The operations that a network is made of, each one product or one kernel over matrices, timed under its phase
/// here and nowhere else.
///
/// A layer is written with these: it knows neither kernels nor clocks. Whoever computes says which clock runs.
///
/// Conventions. Names carry shapes: N rows (frames of all samples), D columns, B samples, T frames of one, C speakers,
/// K taps of a filter; vectors are matrices of one row. All matrices are dense but a product's. Results and inputs
/// may not overlap unless it is said: an operation "in place" writes its first argument. What is a parameter's
/// gradient (`dweight`, `dbias`) is added to what is there; everything else is written. The order of a sum depends on
/// the shape alone.
public protocol MatrixOperations {
  /// Where the time goes. Off, it costs an operation one branch.
  var clock: PhaseClock { get }
  /// Whether operations do nothing: their matrices have no memory, and what is asked is how much they would take.
  var isPlanned: Bool { get }
}

extension MatrixOperations {
  /// Operations compute, unless it is said otherwise.
  public var isPlanned: Bool { false }

  /// Does an operation, in its phase's time.
  @inline(__always)
  func compute(_ phase: Phase, _ body: () -> Void) {
    if !isPlanned { clock.measure(phase, body) }
  }
}

// MARK: Products

extension MatrixOperations {
  /// `c_MN = a_MK · b_KN`, or `c += a · b`. Windows on wider matrices will do.
  public func multiply(_ a: Matrix, _ b: Matrix, into c: Matrix, accumulating: Bool = false) {
    compute(.products) { TensorCore.multiply(a, b, into: c, accumulating: accumulating) }
  }

  /// `c_MN = a_MK · bᵀ` with b_NK, or `c += a · bᵀ`. Windows will do.
  public func multiply(_ a: Matrix, transposed b: Matrix, into c: Matrix, accumulating: Bool = false) {
    compute(.products) { TensorCore.multiply(a, transposed: b, into: c, accumulating: accumulating) }
  }

  /// `c_MN = aᵀ · b_KN` with a_KM, or `c += aᵀ · b`. Windows will do.
  public func multiply(transposed a: Matrix, _ b: Matrix, into c: Matrix, accumulating: Bool = false) {
    compute(.products) { TensorCore.multiply(transposed: a, b, into: c, accumulating: accumulating) }
  }
}

// MARK: Sums

extension MatrixOperations {
  /// `y += x`
  public func add(_ x: Matrix, to y: Matrix) {
    assert(x.count == y.count && x.isDense && y.isDense)
    compute(.activation) { kernel_add(x.count, x.base, y.base) }
  }

  /// `x = factor · x`
  public func scale(_ x: Matrix, by factor: Float) {
    assert(x.isDense)
    compute(.activation) { kernel_scale(x.count, factor, x.base, x.base) }
  }

  /// Every row of `x_ND += bias_D`
  public func addBias(_ bias_D: Matrix, to x_ND: Matrix) {
    assert(bias_D.count == x_ND.columns && x_ND.isDense)
    compute(.activation) { kernel_add_bias(x_ND.rows, x_ND.columns, bias_D.base, x_ND.base) }
  }

  /// `dbias_D += ` the sum of the rows of `dy_ND`: the gradient of ``addBias(_:to:)``.
  public func addBiasGradient(_ dy_ND: Matrix, to dbias_D: Matrix) {
    assert(dbias_D.count == dy_ND.columns && dy_ND.isDense)
    compute(.activation) { kernel_column_sums(dy_ND.rows, dy_ND.columns, dy_ND.base, dbias_D.base) }
  }
}

// MARK: Dropout

/// Which elements of a matrix dropout keeps, and by what it multiplies them: one byte an element, 0 or 1.
public struct DropoutMask {
  /// One byte an element; `nil`: all are kept.
  let keep: UnsafeMutablePointer<UInt8>?
  /// `1 / (1 - p)`
  let scale: Float

  /// Keeps everything as it is.
  public static var none: DropoutMask { DropoutMask(keep: nil, scale: 1) }

  init(keep: UnsafeMutablePointer<UInt8>?, scale: Float) {
    self.keep = keep
    self.scale = scale
  }

  /// A mask whose bytes were drawn before.
  public init(keep: UnsafeMutablePointer<UInt8>, probability: Float) {
    self.init(keep: keep, scale: 1 / (1 - probability))
  }

  /// Whether nothing is dropped.
  public var isNone: Bool { keep == nil }

  /// The mask of the elements from one on.
  public func from(_ element: Int) -> DropoutMask {
    DropoutMask(keep: keep.map { $0 + element }, scale: scale)
  }
}

extension MatrixOperations {
  /// Draws `count` bytes of a mask, as many for each of `samples`, whose numbers begin a block of their own: they do
  /// not depend on what else is under way.
  public func drawMask(
    _ keep: UnsafeMutablePointer<UInt8>, count: Int, samples: Range<Int>, probability: Float,
    from stream: RandomStream
  ) -> DropoutMask {
    compute(.dropout) {
      let each = count / max(1, samples.count)
      for sample in samples {
        stream.keepMask(
          ofSample: sample, dropped: probability, keep + (sample - samples.lowerBound) * each, count: each)
      }
    }
    return DropoutMask(keep: keep, probability: probability)
  }

  /// `y = dropout(x)`; `y` may be `x`. Gives the matrix that holds the result: without a mask it is `x`, and `y` is
  /// not written.
  @discardableResult
  public func dropout(_ x: Matrix, _ mask: DropoutMask, into y: Matrix) -> Matrix {
    guard let keep = mask.keep else { return x }
    assert(x.count == y.count && x.isDense && y.isDense)
    compute(.dropout) { kernel_dropout(x.count, x.base, keep, mask.scale, y.base) }
    return y
  }

  /// `x_ND += factor · dropout(branch_ND + bias_D)`
  public func addBranch(
    _ branch_ND: Matrix, _ bias_D: Matrix, factor: Float = 1, _ mask: DropoutMask, to x_ND: Matrix
  ) {
    assert(branch_ND.count == x_ND.count && bias_D.count == x_ND.columns && x_ND.isDense)
    compute(.dropout) {
      kernel_add_branch(
        x_ND.rows, x_ND.columns, branch_ND.base, bias_D.base, mask.keep, mask.scale, factor, x_ND.base)
    }
  }

  /// The gradient of ``addBranch(_:_:factor:_:to:)`` for its branch: `dbranch_ND = factor · dropout(dy_ND)`;
  /// `dbias_D += ` its column sums.
  public func addBranchBackward(
    _ dy_ND: Matrix, factor: Float = 1, _ mask: DropoutMask, into dbranch_ND: Matrix, dbias dbias_D: Matrix
  ) {
    assert(dy_ND.count == dbranch_ND.count && dbias_D.count == dy_ND.columns && dy_ND.isDense)
    compute(.dropout) {
      kernel_bias_dropout_backward(
        dy_ND.rows, dy_ND.columns, mask.keep, factor * mask.scale, dy_ND.base, dbranch_ND.base, dbias_D.base)
    }
  }
}
