import CKernels

/// What a random number is for. Two purposes never share a number.
public enum RandomPurpose: UInt32, Sendable {
  case initialization = 1, order, crop, validationCrop, dropout, augmentation, synthesis, segmentLength,
    dither
}

/// Random numbers that depend on what they are for and on nothing else: not on rank, thread or time.
///
/// A number is a pure function of (seed, purpose, step, shard, sample, element), so nothing has to be saved
/// to continue a run, and any rank can compute the numbers of any shard. The function is Philox4x32-10 of
/// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
public struct RandomStream: Sendable {
  /// The Philox key: the seed, with the purpose mixed into its upper half.
  public let key: SIMD2<UInt32>
  /// The Philox counter with word 0, the block of four elements, left at zero.
  public private(set) var origin: SIMD4<UInt32>

  /// The stream of one sample of one shard in one step.
  public init(
    seed: UInt64, purpose: RandomPurpose, step: Int = 0, shard: Int = 0, sample: Int = 0
  ) {
    key = SIMD2(
      UInt32(truncatingIfNeeded: seed),
      UInt32(truncatingIfNeeded: seed >> 32) ^ (purpose.rawValue &* 0x9E37_79B9))
    origin = SIMD4(
      0, UInt32(truncatingIfNeeded: sample), UInt32(truncatingIfNeeded: shard),
      UInt32(truncatingIfNeeded: step))
  }

  /// The same stream for another place of the same sample or slice: word 1 of the counter.
  public func site(_ index: Int) -> RandomStream {
    var stream = self
    stream.origin[1] = UInt32(truncatingIfNeeded: index)
    return stream
  }

  /// The 32 random bits of one element.
  public subscript(element: Int) -> UInt32 {
    block(UInt32(truncatingIfNeeded: element >> 2))[element & 3]
  }

  /// An integer in `0 ..< bound`, by multiplication (its bias is below bound / 2³²).
  public func integer(below bound: Int, at element: Int) -> Int {
    Int((UInt64(self[element]) &* UInt64(bound)) >> 32)
  }

  /// A number in [0, 1) with 24 random bits.
  public func uniform(at element: Int) -> Float {
    Float(self[element] >> 8) * 0x1p-24
  }

  /// The four words of elements `4 * index ..< 4 * index + 4`.
  public func block(_ index: UInt32) -> SIMD4<UInt32> {
    var counter = origin
    counter[0] = index
    var k = key
    for _ in 0..<10 {
      let a = UInt64(0xD251_1F53) &* UInt64(counter[0])
      let b = UInt64(0xCD9E_8D57) &* UInt64(counter[2])
      counter = SIMD4(
        UInt32(truncatingIfNeeded: b >> 32) ^ counter[1] ^ k[0], UInt32(truncatingIfNeeded: b),
        UInt32(truncatingIfNeeded: a >> 32) ^ counter[3] ^ k[1], UInt32(truncatingIfNeeded: a))
      k = SIMD2(k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85)
    }
    return counter
  }

  /// Writes `count` keep bytes of dropout, 1 with a probability of `1 - dropped`, for one of several samples that
  /// share the stream; a sample's numbers begin a block of eight of their own.
  public func keepMask(
    ofSample sample: Int, dropped: Float, _ keep: UnsafeMutablePointer<UInt8>, count: Int
  ) {
    var counter = origin
    counter[0] = UInt32(truncatingIfNeeded: sample * ((count + 7) / 8))
    withUnsafeBytes(of: key) { key in
      withUnsafeBytes(of: counter) { counter in
        kernel_keep_mask(
          key.bindMemory(to: UInt32.self).baseAddress!, counter.bindMemory(to: UInt32.self).baseAddress!,
          UInt32((dropped * 65536).rounded()), count, keep)
      }
    }
  }
}
