/// A window on row-major memory: `rows` × `columns` floats, consecutive rows `stride` floats apart.
///
/// A matrix owns nothing. Its memory belongs to an ``Arena`` or to a flat buffer of parameters, and is valid as
/// long as that is.
public struct Matrix {
  /// The first element.
  public let base: UnsafeMutablePointer<Float>
  /// Number of rows.
  public let rows: Int
  /// Number of columns.
  public let columns: Int
  /// Floats from a row to the next; at least `columns`.
  public let stride: Int

  /// A window on `base`; dense unless a stride is given.
  @inlinable
  public init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int? = nil) {
    self.base = base
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
  }

  /// Number of elements.
  @inlinable public var count: Int { rows * columns }

  /// True when the elements lie one after another.
  @inlinable public var isDense: Bool { stride == columns || rows <= 1 }

  /// The rows of `range`.
  @inlinable
  public func rows(_ range: Range<Int>) -> Matrix {
    assert(range.lowerBound >= 0 && range.upperBound <= rows)
    return Matrix(base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
  }

  /// The columns of `range`.
  @inlinable
  public func columns(_ range: Range<Int>) -> Matrix {
    assert(range.lowerBound >= 0 && range.upperBound <= columns)
    return Matrix(base + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }

  /// The same elements as `rows` × `columns`; the matrix must be dense.
  @inlinable
  public func reshaped(rows: Int, columns: Int) -> Matrix {
    assert(isDense && rows * columns == count)
    return Matrix(base, rows: rows, columns: columns)
  }

  /// Whether it has no memory and stands for its size alone; see ``Arena/isPlanned``.
  @inlinable public var isPlanned: Bool { UInt(bitPattern: base) >= 1 << 62 }

  /// One element.
  @inlinable
  public subscript(row: Int, column: Int) -> Float {
    get { base[row * stride + column] }
    nonmutating set { base[row * stride + column] = newValue }
  }

  /// Sets every element to zero; the matrix must be dense.
  @inlinable
  public func clear() {
    assert(isDense)
    if !isPlanned { base.update(repeating: 0, count: count) }
  }

  /// Copies the elements of a dense matrix of the same shape into this dense one.
  @inlinable
  public func copy(from other: Matrix) {
    assert(isDense && other.isDense && count == other.count)
    if !isPlanned { base.update(from: other.base, count: count) }
  }
}
