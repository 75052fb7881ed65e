import Foundation
import SpeechData
import TensorCore
import TensorFiles
import TestSupport
import Testing

/// The tensors of `augmentation.safetensors`, made by `scripts/make-augmentation-fixture.py`.
func augmentationFixture(_ name: String) throws -> [Float] {
  let url = try #require(
    Bundle.module.url(forResource: "augmentation", withExtension: "safetensors", subdirectory: "Fixtures"))
  let bytes = try Safetensors.open(path: url.path).tensor(name).bytes
  return bytes.withUnsafeBytes { bytes in
    (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
  }
}

/// Frames that are augmented in place.
final class Frames {
  let matrix: Matrix

  init(_ values: [Float], bands: Int = 40) {
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: values.count)
    memory.initialize(from: values, count: values.count)
    matrix = Matrix(memory, rows: values.count / bands, columns: bands)
  }

  /// So many frames of noise.
  convenience init(random frames: Int, bands: Int = 40, _ salt: Int = 0) {
    let stream = RandomStream(seed: 3, purpose: .synthesis, step: salt)
    self.init((0..<frames * bands).map { -12 + 8 * stream.uniform(at: $0) }, bands: bands)
  }

  deinit { matrix.base.deallocate() }

  var values: [Float] { Array(UnsafeBufferPointer(start: matrix.base, count: matrix.count)) }
  var energy: Double { values.reduce(0) { $0 + exp(Double($1)) } }
  func row(_ t: Int) -> [Float] { Array(values[t * matrix.columns..<(t + 1) * matrix.columns]) }
}

/// A corpus in memory of the given speakers, each with recordings of given frames.
struct RecordingFolder {
  let folder = TemporaryFolder.inMemory()
  let corpus: Corpus

  init(_ speakers: [(name: String, recordings: [[Float]])]) throws {
    let layout = try HomeworkFolder(folder("data"))
    var number = 0
    try layout.write(
      speakers: try speakers.enumerated().map { label, speaker in
        let entries = try speaker.recordings.map { frames in
          number += 1
          return try layout.write(frames, to: "uttr-\(number).pt")
        }
        return (speaker.name, label, entries)
      })
    corpus = try Corpus.open(layout.path)
    try corpus.prepareEverything()
  }
}

extension AugmentationSettings {
  /// Nothing but what `change` sets.
  static func only(_ change: (inout AugmentationSettings) -> Void) -> AugmentationSettings {
    var settings = AugmentationSettings()
    change(&settings)
    return settings
  }

  func draws(_ sample: Int = 0, step: Int = 0, shard: Int = 0, seed: UInt64 = 87) -> AugmentationDraws {
    AugmentationDraws(self, seed: seed, step: step, shard: shard, sample: sample)
  }
}

func meanDifference(_ a: [Float], _ b: [Float]) -> Float {
  a.count == b.count ? zip(a, b).reduce(0) { $0 + abs($1.0 - $1.1) } / Float(a.count) : .infinity
}
