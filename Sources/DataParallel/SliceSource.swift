/// Where the slices of a global batch come from.
///
/// The one existential of a step, made once by the caller and asked once a slice: the tensors' path has none.
package protocol SliceSource: Sendable {
  /// Frames of each sample of a step, at most the batch's; `nil` for as many.
  func frames(ofStep step: Int) -> Int?

  /// Fills the slice of one shard: `mels` [samples, frames, bands] and `labels` [samples]. Called from several threads,
  /// each for a shard of its own.
  func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws

  /// Mixes the samples of a slice that was filled, each with another one.
  ///
  /// - Parameters:
  ///   - others: [samples], where the labels of the others go.
  ///   - parts: [samples], where the parts go that the samples themselves have, 0 ... 1.
  /// - Returns: whether they are mixtures now.
  func mix(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafePointer<Int32>,
    others: UnsafeMutablePointer<Int32>, parts: UnsafeMutablePointer<Float>
  ) -> Bool
}

extension SliceSource {
  /// The batch's.
  package func frames(ofStep step: Int) -> Int? { nil }

  /// They stay what they are.
  package func mix(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafePointer<Int32>,
    others: UnsafeMutablePointer<Int32>, parts: UnsafeMutablePointer<Float>
  ) -> Bool { false }
}

/// The shape of a global batch: `shards` equal slices.
package struct BatchShape: Sendable, Equatable {
  /// Samples of a slice.
  package let samplesPerShard: Int
  /// Frames of a sample.
  package let frames: Int
  /// Slices.
  package let shards: Int

  /// Samples of the global batch.
  package var samples: Int { samplesPerShard * shards }

  package init(samplesPerShard: Int, frames: Int, shards: Int) {
    self.samplesPerShard = samplesPerShard
    self.frames = frames
    self.shards = shards
  }
}
