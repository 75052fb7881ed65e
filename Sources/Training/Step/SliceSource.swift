import Collectives
import Diagnostics

/// Where the slices of a global batch come from.
///
/// The one existential of a step, made once by the caller and asked once a slice: the tensors' path has none.
package protocol SliceSource: Sendable {
  /// Fills the slice of one shard: `mels` [samples, frames, 40] and `labels` [samples]. Called from several threads,
  /// each for a shard of its own.
  func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws
}

/// Slices whose reading is noted in a rank's activity.
struct WatchedSlices<Source: SliceSource>: SliceSource {
  private let source: Source
  private let activity: Activity?

  init(_ source: Source, _ activity: Activity?) {
    self.source = source
    self.activity = activity
  }

  func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws {
    guard let activity else { return try source.fill(shard: shard, step: step, mels: mels, labels: labels) }
    try activity.reading { try source.fill(shard: shard, step: step, mels: mels, labels: labels) }
  }
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
