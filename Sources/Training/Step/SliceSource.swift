import Diagnostics

/// Where the slices of a global batch come from.
package protocol SliceSource: Sendable {
  /// Fills the slice of one shard: `mels` [samples, frames, 40] and `labels` [samples]. Called from several threads,
  /// each for a shard of its own.
  func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws
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
}
