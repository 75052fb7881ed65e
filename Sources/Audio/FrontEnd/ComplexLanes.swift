import Foundation

/// Four numbers that take the same way through the transform: one frame of the signal in every lane.
///
/// Lanes never meet, so a frame's spectrum has the same bits whatever its neighbours are.
typealias Lanes = SIMD4<Double>

/// A complex number in every lane.
struct ComplexLanes {
  var real: Lanes
  var imaginary: Lanes

  static func + (a: Self, b: Self) -> Self {
    Self(real: a.real + b.real, imaginary: a.imaginary + b.imaginary)
  }

  static func - (a: Self, b: Self) -> Self {
    Self(real: a.real - b.real, imaginary: a.imaginary - b.imaginary)
  }

  static func * (scale: Double, a: Self) -> Self {
    Self(real: scale * a.real, imaginary: scale * a.imaginary)
  }

  /// The product with one factor for all lanes.
  static func * (a: Self, w: UnitRoot) -> Self {
    Self(
      real: w.cosine * a.real - w.sine * a.imaginary,
      imaginary: w.cosine * a.imaginary + w.sine * a.real)
  }

  /// The product with −i.
  var timesMinusI: Self { Self(real: imaginary, imaginary: -real) }

  /// The complex conjugate.
  var conjugate: Self { Self(real: real, imaginary: -imaginary) }
}

/// `exp(-2πi · index / order)`, the factor of a forward transform.
struct UnitRoot {
  let cosine: Double
  let sine: Double

  init(_ index: Int, of order: Int) {
    // The reduced index keeps the angle small, where the library's functions are exact to the last bit.
    let angle = -2 * Double.pi * Double(index % order) / Double(order)
    cosine = cos(angle)
    sine = sin(angle)
  }
}
