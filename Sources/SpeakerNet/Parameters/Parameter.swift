/// A parameter's place in the flat buffers: where its window starts and which shape it has as a matrix.
///
/// Vectors are matrices of one row; a convolution's [O, I, K] weight is a matrix [O, I·K].
public struct Parameter: Sendable, Equatable {
  /// Its index in ``ParameterLayout/entries``.
  public let index: Int
  /// First element in the flat buffers of parameters and gradients.
  public let offset: Int
  /// Rows of its matrix form: outputs.
  public let rows: Int
  /// Columns of its matrix form: inputs.
  public let columns: Int

  /// Number of elements.
  public var count: Int { rows * columns }

  /// One of `parts` runs of rows, as equal as rows allow.
  public func rows(_ part: Int, of parts: Int) -> Range<Int> {
    rows * part / parts..<rows * (part + 1) / parts
  }
}

/// A BatchNorm statistic's place in the flat buffer of running statistics.
public struct Buffer: Sendable, Equatable {
  /// First element.
  public let offset: Int
  /// Number of elements.
  public let count: Int
}
