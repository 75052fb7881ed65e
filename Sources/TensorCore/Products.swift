import CKernels
import COpenBLAS

// Matrix products, row-major. C is written, or added to when `accumulating`.
//
// A slice's products are small, and OpenBLAS packs both operands of each as if it were large; ours packs one, and is
// 1.2 to 1.5 times as fast with AVX-512 (docs/performance.md). Its result has the same bits whatever the processor's
// vectors, FMA given. Large products are OpenBLAS's, which is made for them.

/// `c_MN = a_MK · b_KN`
public func multiply(_ a: Matrix, _ b: Matrix, into c: Matrix, accumulating: Bool = false) {
  assert(a.columns == b.rows && c.rows == a.rows && c.columns == b.columns)
  product(.plain, a, .plain, b, c, depth: a.columns, accumulating)
}

/// `c_MN = a_MK · bᵀ` with b_NK
public func multiply(_ a: Matrix, transposed b: Matrix, into c: Matrix, accumulating: Bool = false) {
  assert(a.columns == b.columns && c.rows == a.rows && c.columns == b.rows)
  product(.plain, a, .transposed, b, c, depth: a.columns, accumulating)
}

/// `c_MN = aᵀ · b_KN` with a_KM
public func multiply(transposed a: Matrix, _ b: Matrix, into c: Matrix, accumulating: Bool = false) {
  assert(a.rows == b.rows && c.rows == a.columns && c.columns == b.columns)
  product(.transposed, a, .plain, b, c, depth: a.rows, accumulating)
}

/// How an operand lies in memory.
private enum Form: Int32 { case plain, transposed }

/// Floats of the smaller operand up to which a product is ours: a quarter of a usual second-level cache.
///
/// Measured for widths of 40 to 512. The choice depends on the shape alone, so equal shapes give equal bits.
private let largestSmallOperand = 1 << 16

@inline(__always)
private func product(
  _ aForm: Form, _ a: Matrix, _ bForm: Form, _ b: Matrix, _ c: Matrix, depth: Int, _ accumulating: Bool
) {
  if min(c.rows, c.columns) * depth <= largestSmallOperand {
    kernel_product(
      aForm.rawValue, bForm.rawValue, c.rows, c.columns, depth, a.base, a.stride, b.base, b.stride,
      accumulating ? 1 : 0, c.base, c.stride)
  } else {
    cblas_sgemm(
      CblasRowMajor, aForm == .transposed ? CblasTrans : CblasNoTrans,
      bForm == .transposed ? CblasTrans : CblasNoTrans, blasint(c.rows), blasint(c.columns), blasint(depth),
      1,
      a.base, blasint(a.stride), b.base, blasint(b.stride), accumulating ? 1 : 0, c.base, blasint(c.stride))
  }
}
