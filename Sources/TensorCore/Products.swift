import COpenBLAS

// Matrix products on OpenBLAS, row-major. C is written, or added to when `accumulating`.

/// `c_MN = a_MK · b_KN`
public func multiply(_ a: Matrix, _ b: Matrix, into c: Matrix, accumulating: Bool = false) {
  assert(a.columns == b.rows && c.rows == a.rows && c.columns == b.columns)
  sgemm(CblasNoTrans, CblasNoTrans, a, b, c, depth: a.columns, accumulating)
}

/// `c_MN = a_MK · bᵀ` with b_NK
public func multiply(_ a: Matrix, transposed b: Matrix, into c: Matrix, accumulating: Bool = false) {
  assert(a.columns == b.columns && c.rows == a.rows && c.columns == b.rows)
  sgemm(CblasNoTrans, CblasTrans, a, b, c, depth: a.columns, accumulating)
}

/// `c_MN = aᵀ · b_KN` with a_KM
public func multiply(transposed a: Matrix, _ b: Matrix, into c: Matrix, accumulating: Bool = false) {
  assert(a.rows == b.rows && c.rows == a.columns && c.columns == b.columns)
  sgemm(CblasTrans, CblasNoTrans, a, b, c, depth: a.rows, accumulating)
}

@inline(__always)
private func sgemm(
  _ transA: CBLAS_TRANSPOSE, _ transB: CBLAS_TRANSPOSE, _ a: Matrix, _ b: Matrix, _ c: Matrix, depth: Int,
  _ accumulating: Bool
) {
  cblas_sgemm(
    CblasRowMajor, transA, transB, blasint(c.rows), blasint(c.columns), blasint(depth), 1,
    a.base, blasint(a.stride), b.base, blasint(b.stride), accumulating ? 1 : 0, c.base, blasint(c.stride))
}
