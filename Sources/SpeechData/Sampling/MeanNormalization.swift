import Audio

extension FeatureSettings.MeanNormalization {
  /// What stands behind the end of an utterance that is shorter than its segment: nearly silence; where each band's
  /// mean is taken off, that mean.
  public var padding: Float {
    switch self {
    case .none: Crop.padding
    case .utterance: 0
    }
  }

  /// Takes each band's mean over the frames off them, as WeSpeaker's `mat - mat.mean(dim=0)`.
  ///
  /// Summed up in double precision, frame after frame: the bits depend on the frames alone. Allocates nothing.
  /// - Parameter mels: [frames, bands], of an utterance's own frames, without those behind its end.
  public func apply(to mels: UnsafeMutablePointer<Float>, frames: Int, bands: Int) {
    guard self == .utterance, frames > 0 else { return }
    // 1 KiB is what withUnsafeTemporaryAllocation keeps on the stack.
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 128) { sums in
      for first in stride(from: 0, to: bands, by: sums.count) {
        let count = min(sums.count, bands - first)
        for band in 0..<count { sums[band] = 0 }
        for frame in 0..<frames {
          let row = mels + frame * bands + first
          for band in 0..<count { sums[band] += Double(row[band]) }
        }
        for band in 0..<count { sums[band] /= Double(frames) }
        for frame in 0..<frames {
          let row = mels + frame * bands + first
          for band in 0..<count { row[band] -= Float(sums[band]) }
        }
      }
    }
  }
}
