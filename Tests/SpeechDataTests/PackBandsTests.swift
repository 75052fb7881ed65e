import Audio
import Diagnostics
import Foundation
import SpeechData
import TensorFiles
import TestSupport
import Testing

@Suite("A pack of any number of bands")
struct PackBandsTests {
  @Test("holds the rows, the bands and the recipe that it was given", arguments: [1, 40, 80, 1_024])
  func roundTrip(bands: Int) throws {
    let made = try TestCorpus([[3, 1], [20, 5, 4], [6]], tests: [2, 3])
    try made.pack(3, bands: bands)
    let corpus = try Corpus.open(made.packed)
    #expect(corpus.bands == bands)
    #expect(corpus.recipe == TestCorpus.recipe(bands: bands))
    #expect(corpus.utterances.map(\.path) == made.frames.indices.map { "é/\($0).wav" })
    #expect(corpus.utterances.map(\.label) == made.labels)
    try corpus.prepareEverything(shards: 3)
    for (index, frames) in made.frames.enumerated() {
      #expect(
        try corpus.frames(of: index, 0..<frames) == TestCorpus.values(index, 0..<frames, bands: bands))
      #expect(
        try corpus.frames(of: index, frames - 1..<frames)
          == TestCorpus.values(index, frames - 1..<frames, bands: bands))
    }
    for (index, frames) in made.testFrames.enumerated() {
      #expect(
        try corpus.testFrames(of: index, 0..<frames)
          == TestCorpus.values(TestCorpus.firstTest + index, 0..<frames, bands: bands))
    }
    var segment = [Float](repeating: .nan, count: 8 * bands)
    try segment.withUnsafeMutableBufferPointer {
      try SegmentReader(corpus: corpus, length: 8)
        .copySegment(of: 3, Crop.validation(seed: 1, utterance: 3), into: $0.baseAddress!)
    }
    #expect(segment == TestCorpus.values(3, 0..<5, bands: bands) + Array(repeating: -20, count: 3 * bands))
  }

  @Test("is laid out as docs/formats.md says")
  func layout() throws {
    let made = try TestCorpus([[3]], tests: nil)
    let recipe = TestCorpus.recipe(bands: 7)
    try made.packer(1, bands: 7).run(threads: 1) { _, _ in }
    let bytes = try Data(contentsOf: URL(filePath: "\(made.packed)/shard-00000-of-00001.mels"))
    func number(_ offset: Int, _ count: Int) -> Int {
      (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }
    #expect(String(decoding: bytes[..<8], as: UTF8.self) == "SPKMELS\0")
    #expect(number(8, 4) == 2 && number(12, 4) == 7 && number(32, 8) == 1)
    let name = "é/0.wav"
    #expect(number(40, 8) == name.utf8.count && number(64, 4) == recipe.text.utf8.count)
    #expect(bytes[68..<124].allSatisfy { $0 == 0 })
    let front = 160 + name.utf8.count + recipe.text.utf8.count
    #expect(String(decoding: bytes[160..<front], as: UTF8.self) == name + recipe.text)
    let payload = (front + 63) / 64 * 64
    #expect(number(48, 8) == payload && number(144, 8) == payload && number(56, 8) == bytes.count)
    #expect(number(124, 4) == Int(CRC32.checksum([UInt8](bytes[..<124] + bytes[128..<front]))))
    let rows = TestCorpus.values(0, 0..<3, bands: 7).withUnsafeBytes(Array.init)
    #expect([UInt8](bytes[payload...]) == rows)
    let manifest = try JSON.read(path: "\(made.packed)/manifest.json")
    #expect(manifest["version"] == 2 && manifest["n_mels"] == 7 && manifest["recipe"] == recipe.json)
  }

  @Test("of the homework's directory is version 1, byte for byte what it has always been")
  func versionOne() throws {
    let made = try TestCorpus(count: 12)
    try made.pack(2)
    let checksums = try made.folder.contents(of: "packed").map { name in
      let bytes = try [UInt8](Data(contentsOf: URL(filePath: "\(made.packed)/\(name)")))
      return "\(name) \(String(CRC32.checksum(bytes), radix: 16))"
    }
    #expect(checksums == Self.versionOneChecksums)
    #expect(try Corpus.open(made.packed).recipe == nil)
  }

  private static let versionOneChecksums = [
    "manifest.json 7f4f3aac", "shard-00000-of-00002.mels c476cba5", "shard-00001-of-00002.mels a7af9188",
    "test-00000-of-00002.mels e564bd8e", "test-00001-of-00002.mels a14d969f",
  ]

  @Test("goes on where it was killed, and over another recipe's files it does not")
  func restart() throws {
    let made = try TestCorpus(count: 25)
    try made.pack(5, bands: 8)
    let names = made.folder.contents(of: "packed")
    let reference = try names.map { try Data(contentsOf: URL(filePath: "\(made.packed)/\($0)")) }
    var features = FeatureSettings()
    (features.bands, features.lowHertz) = (8, 60)
    expectFailure(.usage, saying: "is not part of given packed into 5 files") {
      try made.pack(5, bands: 8, recipe: FeatureRecipe(AudioSettings(), features))
    }
    for name in ["manifest.json", "shard-00002-of-00005.mels"] {
      try FileManager.default.removeItem(atPath: "\(made.packed)/\(name)")
    }
    try made.pack(5, bands: 8, threads: 1)
    #expect(try names.map { try Data(contentsOf: URL(filePath: "\(made.packed)/\($0)")) } == reference)
  }

  @Test("whose files are of several recipes is refused")
  func mixed() throws {
    let made = try TestCorpus(count: 12), other = try TestCorpus(count: 12)
    try made.pack(2, bands: 8)
    var audio = AudioSettings()
    audio.trim = .sox
    var features = FeatureSettings()
    features.bands = 8
    try other.pack(2, bands: 8, recipe: FeatureRecipe(audio, features))
    let name = "shard-00001-of-00002.mels"
    try Data(contentsOf: URL(filePath: "\(other.packed)/\(name)")).write(
      to: URL(filePath: "\(made.packed)/\(name)"))
    expectFailure(saying: "is not the file that manifest.json lists") { try Corpus.open(made.packed) }
  }
}
