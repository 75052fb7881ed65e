import Audio
import Foundation
import SpeechData
import TensorFiles
import TestSupport

/// A corpus in the homework's layout whose every number is known: `value(n, t, b)` for utterance file n.
struct TestCorpus {
  let folder = TemporaryFolder.inMemory()
  private let layout: HomeworkFolder
  var source: String { layout.path }
  var packed: String { folder("packed") }
  /// Frames by utterance, in dataset order.
  let frames: [Int]
  let labels: [Int]
  let testFrames: [Int]

  /// Speakers "s00", "s01", … whose labels run the other way round than they appear, with the given lengths.
  init(_ framesBySpeaker: [[Int]], tests: [Int]? = [5, 140, 300]) throws {
    frames = framesBySpeaker.flatMap { $0 }
    testFrames = tests ?? []
    let speakers = framesBySpeaker.count
    labels = framesBySpeaker.enumerated().flatMap { s, list in list.map { _ in speakers - 1 - s } }
    layout = try HomeworkFolder(folder("source"))
    var number = 0
    try layout.write(
      speakers: try framesBySpeaker.enumerated().map { s, list in
        let entries = try list.map { frames in
          defer { number += 1 }
          return try write(number, frames: frames)
        }
        return (Self.speaker(s), speakers - 1 - s, entries)
      })
    if let tests {
      try layout.write(tests: try tests.enumerated().map { try write(Self.firstTest + $0, frames: $1) })
    }
  }

  /// `count` utterances of 1 to 400 frames, by 4 speakers.
  init(count: Int, tests: [Int]? = [5, 140, 300]) throws {
    let lengths = (0..<count).map { 1 + $0 * 137 % 400 }
    try self.init(
      (0..<4).map { s in lengths.indices.filter { $0 % 4 == s }.map { lengths[$0] } }, tests: tests)
  }

  static let firstTest = 5000
  static func speaker(_ s: Int) -> String { s < 10 ? "s0\(s)" : "s\(s)" }
  static func name(_ number: Int) -> String { "uttr-\(number).pt" }

  /// The value of bin `b` of frame `t` in utterance file `number`: exact in a float.
  static func value(_ number: Int, _ t: Int, _ b: Int) -> Float { Float(number * 1000 + t) + Float(b) / 64 }

  static func values(_ number: Int, _ range: Range<Int>, bands: Int = 40) -> [Float] {
    range.flatMap { t in (0..<bands).map { value(number, t, $0) } }
  }

  @discardableResult
  func write(_ number: Int, frames: Int) throws -> JSON {
    try layout.write(Self.values(number, 0..<frames), to: Self.name(number))
  }

  /// The same utterances with another number of bands, as if they were made of sound.
  func pack(_ files: Int, bands: Int, recipe: FeatureRecipe? = nil, threads: Int = 2) throws {
    try packer(files, bands: bands, recipe: recipe).run(threads: threads) { _, _ in }
  }

  func packer(_ files: Int, bands: Int, recipe: FeatureRecipe? = nil) throws -> Packer {
    func utterances(_ frames: [Int], _ labels: [Int], from number: Int) -> [Utterance] {
      frames.indices.map { Utterance(path: "é/\(number + $0).wav", frames: frames[$0], label: labels[$0]) }
    }
    let contents = PackContents(
      speakers: (0..<(labels.max() ?? 0) + 1).map(Self.speaker),
      utterances: utterances(frames, labels, from: 0),
      tests: utterances(testFrames, testFrames.map { _ in -1 }, from: Self.firstTest), bands: bands,
      recipe: recipe ?? Self.recipe(bands: bands))
    return try Packer(contents, rows: GivenRows(corpus: self, bands: bands), output: packed, files: files)
  }

  static func recipe(bands: Int) -> FeatureRecipe {
    var features = FeatureSettings()
    features.bands = bands
    return FeatureRecipe(AudioSettings(), features)
  }

  static func entry(_ path: String, _ frames: Int) -> JSON { HomeworkFolder.entry(path, frames) }

  func write(_ name: String, _ json: JSON) throws { try layout.write(json, to: name) }

  func pack(_ files: Int, threads: Int = 2) throws {
    try Packer(source: source, output: packed, files: files).run(threads: threads) { _, _ in }
  }
}

/// The rows of a `TestCorpus`, out of nothing.
private struct GivenRows: PackRows {
  let name = "given"
  let frames: [PackKind: [Int]]
  let bands: Int

  init(corpus: TestCorpus, bands: Int) {
    frames = [.shard: corpus.frames, .test: corpus.testFrames]
    self.bands = bands
  }

  func rows(
    _ kind: PackKind, _ index: Int, _ buffer: FrameBuffer
  ) throws -> (bytes: UnsafeRawBufferPointer, checksum: UInt32) {
    let first = kind == .shard ? 0 : TestCorpus.firstTest
    let values = TestCorpus.values(first + index, 0..<frames[kind]![index], bands: bands)
    let memory = buffer.reserve(4 * values.count)
    values.withUnsafeBytes { memory.copyMemory(from: $0) }
    return (UnsafeRawBufferPointer(memory), CRC32.checksum(UnsafeRawBufferPointer(memory)))
  }

  func checksum(_ kind: PackKind, _ index: Int) throws -> UInt32? { nil }
}

extension Corpus {
  /// Prepares all that there is.
  func prepareEverything(shards: Int = 1, threads: Int = 2) throws {
    try prepare(shards: 0..<shards, of: shards, threads: threads) { _, _ in }
    try prepareTests(0..<(tests?.count ?? 0), threads: threads) { _, _ in }
  }

  /// `copyFrames` into an array.
  func frames(of utterance: Int, _ range: Range<Int>) throws -> [Float] {
    var frames = [Float](repeating: .nan, count: range.count * bands)
    try frames.withUnsafeMutableBufferPointer {
      try copyFrames(of: utterance, from: range.lowerBound, count: range.count, into: $0.baseAddress!)
    }
    return frames
  }

  /// `copyTestFrames` into an array.
  func testFrames(of utterance: Int, _ range: Range<Int>) throws -> [Float] {
    var frames = [Float](repeating: .nan, count: range.count * bands)
    try frames.withUnsafeMutableBufferPointer {
      try copyTestFrames(of: utterance, from: range.lowerBound, count: range.count, into: $0.baseAddress!)
    }
    return frames
  }
}

/// Lowers a limit of this process, for exit tests.
func limitResource(_ resource: __rlimit_resource, to value: rlim_t) {
  var limit = rlimit()
  getrlimit(__rlimit_resource_t(resource.rawValue), &limit)
  limit.rlim_cur = value
  setrlimit(__rlimit_resource_t(resource.rawValue), &limit)
}
