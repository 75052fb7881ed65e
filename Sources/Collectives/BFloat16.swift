import CKernels

/// bfloat16, the upper half of a float: its exponent, and 8 of its 24 bits of precision.
///
/// Sums of bfloat16 pieces are the same on any number of ranks when every node of the tree is rounded: then each
/// node is a bfloat16 number wherever it is computed, and nothing is lost when it is sent as one.
public enum BFloat16 {
  /// Rounds to the nearest bfloat16, ties to even, in place; infinities and NaN stay.
  public static func round(_ values: UnsafeMutablePointer<Float>, count: Int) {
    kernel_bfloat16_round(count, values)
  }

  /// `result = round(left + right)`; `result` may be `left` or `right` itself.
  public static func add(
    _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>,
    count: Int
  ) {
    kernel_bfloat16_add(count, left, right, result)
  }

  /// Writes values that are bfloat16 numbers already as pairs of 16 bits into `(count + 1) / 2` floats' room.
  static func pack(_ values: UnsafePointer<Float>, count: Int, into room: UnsafeMutablePointer<Float>) {
    room.withMemoryRebound(to: UInt16.self, capacity: 2 * self.room(for: count)) {
      kernel_bfloat16_pack(count, values, $0)
    }
  }

  /// Reads back what ``pack(_:count:into:)`` wrote.
  static func unpack(_ room: UnsafePointer<Float>, count: Int, into values: UnsafeMutablePointer<Float>) {
    room.withMemoryRebound(to: UInt16.self, capacity: 2 * self.room(for: count)) {
      kernel_bfloat16_unpack(count, $0, values)
    }
  }

  /// Floats that ``pack(_:count:into:)`` needs room for.
  static func room(for count: Int) -> Int { (count + 1) / 2 }
}
