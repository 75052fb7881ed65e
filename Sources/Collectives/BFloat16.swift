/// bfloat16, the upper half of a float: its exponent, and 8 of its 24 bits of precision.
///
/// Sums of bfloat16 pieces are the same on any number of ranks when every node of the tree is rounded: then each
/// node is a bfloat16 number wherever it is computed, and nothing is lost when it is sent as one.
public enum BFloat16 {
  /// Rounds to the nearest bfloat16, ties to even, in place; infinities and NaN stay.
  public static func round(_ values: UnsafeMutablePointer<Float>, count: Int) {
    var i = 0
    while i + 16 <= count {
      let x = UnsafeRawPointer(values + i).loadUnaligned(as: SIMD16<Float>.self)
      UnsafeMutableRawPointer(values + i).storeBytes(of: rounded(x), as: SIMD16<Float>.self)
      i += 16
    }
    while i < count {
      values[i] = rounded(SIMD16(repeating: values[i]))[0]
      i += 1
    }
  }

  /// `result = round(left + right)`; `result` may be `left` or `right` itself.
  public static func add(
    _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>,
    count: Int
  ) {
    var i = 0
    while i + 16 <= count {
      let l = UnsafeRawPointer(left + i).loadUnaligned(as: SIMD16<Float>.self)
      let r = UnsafeRawPointer(right + i).loadUnaligned(as: SIMD16<Float>.self)
      UnsafeMutableRawPointer(result + i).storeBytes(of: rounded(l + r), as: SIMD16<Float>.self)
      i += 16
    }
    while i < count {
      result[i] = rounded(SIMD16(repeating: left[i] + right[i]))[0]
      i += 1
    }
  }

  /// Writes values that are bfloat16 numbers already as pairs of 16 bits into `(count + 1) / 2` floats' room.
  static func pack(_ values: UnsafePointer<Float>, count: Int, into room: UnsafeMutablePointer<Float>) {
    let halves = UnsafeMutableRawPointer(room)
    var i = 0
    while i + 16 <= count {
      let bits = UnsafeRawPointer(values + i).loadUnaligned(as: SIMD16<UInt32>.self)
      halves.storeBytes(
        of: SIMD16<UInt16>(truncatingIfNeeded: bits &>> 16), toByteOffset: 2 * i, as: SIMD16<UInt16>.self)
      i += 16
    }
    while i < count {
      halves.storeBytes(
        of: UInt16(truncatingIfNeeded: values[i].bitPattern >> 16), toByteOffset: 2 * i, as: UInt16.self)
      i += 1
    }
  }

  /// Reads back what ``pack(_:count:into:)`` wrote.
  static func unpack(_ room: UnsafePointer<Float>, count: Int, into values: UnsafeMutablePointer<Float>) {
    let halves = UnsafeRawPointer(room)
    var i = 0
    while i + 16 <= count {
      let bits = halves.loadUnaligned(fromByteOffset: 2 * i, as: SIMD16<UInt16>.self)
      UnsafeMutableRawPointer(values + i).storeBytes(
        of: SIMD16<UInt32>(truncatingIfNeeded: bits) &<< 16, as: SIMD16<UInt32>.self)
      i += 16
    }
    while i < count {
      let bits = halves.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
      values[i] = Float(bitPattern: UInt32(bits) << 16)
      i += 1
    }
  }

  /// Adds half a unit in the last place, or what makes a tie even, and cuts. NaN would run over: it keeps its sign
  /// and becomes quiet.
  @inline(__always)
  private static func rounded(_ x: SIMD16<Float>) -> SIMD16<Float> {
    let bits = unsafeBitCast(x, to: SIMD16<UInt32>.self)
    let nearest = bits &+ 0x7FFF &+ (bits &>> 16 & 1)
    let isNaN = bits & 0x7FFF_FFFF .> 0x7F80_0000
    let chosen = nearest.replacing(with: bits | 0x0040_0000, where: isNaN)
    return unsafeBitCast(chosen & 0xFFFF_0000, to: SIMD16<Float>.self)
  }
}
