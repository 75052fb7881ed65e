/// Memory for the frames of one utterance, reused from utterance to utterance by one thread.
final class FrameBuffer {
  private(set) var bytes: UnsafeMutableRawBufferPointer

  init() { bytes = .allocate(byteCount: 0, alignment: 64) }

  deinit { bytes.deallocate() }

  /// At least `count` bytes, aligned to 64; what they held before is lost when they had to grow.
  func reserve(_ count: Int) -> UnsafeMutableRawBufferPointer {
    if bytes.count < count {
      bytes.deallocate()
      bytes = .allocate(byteCount: max(count, 1 << 18), alignment: 64)
    }
    return UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])
  }
}

extension UnsafeBufferPointer<Float> {
  /// The position of the first NaN or infinity.
  var firstNonFinite: Int? {
    // All finite numbers, and only they, have a magnitude below that of infinity as integers. A maximum of
    // integers is a loop that compilers vectorise; a search with an early exit is not.
    let infinity = Int32(bitPattern: Float.infinity.bitPattern)
    var largest: Int32 = 0
    for value in self { largest = Swift.max(largest, Int32(bitPattern: value.bitPattern & 0x7FFF_FFFF)) }
    return largest < infinity ? nil : firstIndex { !$0.isFinite }
  }
}
