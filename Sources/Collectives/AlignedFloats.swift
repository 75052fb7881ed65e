/// Floats on a cache line's boundary, zero at first, freed with their owner.
package final class AlignedFloats {
  /// Element 0.
  package let start: UnsafeMutablePointer<Float>
  /// The number of elements.
  package let count: Int

  package init(count: Int) {
    let bytes = UnsafeMutableRawPointer.allocate(
      byteCount: max(count, 1) * MemoryLayout<Float>.stride, alignment: 64)
    start = bytes.bindMemory(to: Float.self, capacity: max(count, 1))
    start.initialize(repeating: 0, count: max(count, 1))
    self.count = count
  }

  deinit { start.deallocate() }

  /// A copy of the elements.
  package var array: [Float] { Array(UnsafeBufferPointer(start: start, count: count)) }
}
