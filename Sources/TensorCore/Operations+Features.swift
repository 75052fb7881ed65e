import CKernels

// Passes over log-mel features, which augmentation is made of: rows are frames, columns bands. They are called while
// a slice is filled, whose whole time is one phase, and so keep no clock. All matrices are dense.

extension Matrix {
  /// The energies of log features, `exp(x / units)`: `units` of them are a factor of e. They may go where the features
  /// are.
  ///
  /// - Returns: their sum.
  public func energies(units: Float, into energies: Matrix) -> Double {
    assert(count == energies.count && isDense && energies.isDense)
    return kernel_energies(count, 1 / units, base, energies.base)
  }

  /// `x += factor · other`
  public func add(_ other: Matrix, times factor: Float) {
    assert(count == other.count && isDense && other.isDense)
    kernel_add_scaled(count, factor, other.base, base)
  }

  /// Makes log features of energies, all above 1e-38: `x = units · ln(energies)`.
  public func setLogarithms(of energies: Matrix, units: Float) {
    assert(count == energies.count && isDense && energies.isDense)
    kernel_logarithms(count, units, energies.base, base)
  }

  /// `x = max(x + shift, floor)`
  public func shift(by shift: Float, floor: Float) {
    assert(isDense)
    kernel_shift(count, shift, floor, base)
  }

  /// `x = a + weight · (b - a)`; this matrix may be one of them.
  public func setBlend(of a: Matrix, _ b: Matrix, weight: Float) {
    assert(count == a.count && count == b.count && isDense && a.isDense && b.isDense)
    kernel_blend(count, weight, a.base, b.base, base)
  }

  /// The means of the columns, in the one row of `mean_D`.
  public func columnMeans(into mean_D: Matrix) {
    assert(mean_D.count == columns && isDense)
    kernel_mean_rows(1, rows, columns, base, mean_D.base)
  }
}

/// A map of a frame's bands: band `i` of the result is what lies at place `place[i]` between the bands, plus a shift.
public struct BandMap: Sendable, Equatable {
  private let from: [Int32]
  private let weight: [Float]
  private let shift: [Float]

  /// - Parameter places: by band, where it is taken from, 0 ... bands - 1, and what is added; `nil`: nowhere.
  ///   What comes from nowhere is `-infinity`, which the floor then replaces.
  public init(_ places: [(place: Double, shift: Double)?]) {
    let last = places.count - 1
    var from: [Int32] = []
    var weight: [Float] = []
    var shift: [Float] = []
    for entry in places {
      let place = min(max(entry?.place ?? 0, 0), Double(last))
      let whole = min(Int(place), last)
      from.append(Int32(whole))
      weight.append(Float(place - Double(whole)))
      shift.append(entry.map { Float($0.shift) } ?? -.infinity)
    }
    (self.from, self.weight, self.shift) = (from, weight, shift)
  }

  /// Maps every row of `x_ND` into `y_ND`; nothing of the result is below `floor`.
  public func callAsFunction(_ x_ND: Matrix, into y_ND: Matrix, floor: Float) {
    assert(x_ND.columns == from.count && x_ND.count == y_ND.count && x_ND.isDense && y_ND.isDense)
    kernel_move_bands(x_ND.rows, x_ND.columns, from, weight, shift, floor, x_ND.base, y_ND.base)
  }
}
