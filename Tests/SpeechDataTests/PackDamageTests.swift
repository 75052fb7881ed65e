import Audio
import Diagnostics
import Foundation
import SpeechData
import TensorCore
import TensorFiles
import TestSupport
import Testing

@Suite("A damaged packed corpus")
struct PackDamageTests {
  /// What a reader can see of a corpus.
  private struct Contents: Equatable {
    var speakers: [String]
    var utterances: [Utterance]
    var tests: [Utterance]?
    var bands: Int
    var recipe: FeatureRecipe?
    var frames: [[Float]]

    init(_ directory: String) throws {
      let corpus = try Corpus.open(directory)
      try corpus.prepareEverything()
      speakers = corpus.speakers
      utterances = corpus.utterances
      tests = corpus.tests
      bands = corpus.bands
      recipe = corpus.recipe
      frames = try corpus.utterances.indices.map {
        try corpus.frames(of: $0, 0..<corpus.utterances[$0].frames)
      }
      let tests = corpus.tests ?? []
      frames += try tests.indices.map { try corpus.testFrames(of: $0, 0..<tests[$0].frames) }
    }
  }

  private let made: TestCorpus

  init() throws {
    made = try TestCorpus([[3, 1], [2, 5, 4], [6]], tests: [2, 3])
  }

  /// Writes `damaged` as `name` and expects a `Failure` or the same contents.
  private func expectFailureOrEquality(
    to reference: Contents, _ name: String, _ damaged: Data, _ what: String
  ) throws {
    try damaged.write(to: URL(fileURLWithPath: "\(made.packed)/\(name)"))
    do {
      #expect(try Contents(made.packed) == reference, "\(name): \(what)")
    } catch let failure as Failure {
      #expect([.badData, .missingInput].contains(failure.kind), "\(name): \(what): \(failure)")
      #expect(!failure.message.contains("\n"))
    }
  }

  /// Of both versions of the format.
  private func pack(bands: Int?) throws -> Contents {
    if let bands { try made.pack(2, bands: bands) } else { try made.pack(2) }
    return try Contents(made.packed)
  }

  @Test("is refused or read right, whichever bytes of whichever file change", arguments: [nil, 3])
  func mutations(bands: Int?) throws {
    let reference = try pack(bands: bands)
    let random = RandomStream(seed: 2026, purpose: .synthesis)
    for (f, name) in made.folder.contents(of: "packed").enumerated() {
      let whole = try Data(contentsOf: URL(fileURLWithPath: "\(made.packed)/\(name)"))
      for offset in whole.indices {
        var damaged = whole
        damaged[offset] ^= UInt8(1 << random.integer(below: 8, at: f << 20 | offset))
        try expectFailureOrEquality(to: reference, name, damaged, "bit of byte \(offset)")
      }
      for trial in 0..<500 {
        try expectFailureOrEquality(
          to: reference, name, damaged(whole, random, f << 20 | trial << 4), "trial \(trial)")
      }
      try whole.write(to: URL(fileURLWithPath: "\(made.packed)/\(name)"))
    }
    #expect(try Contents(made.packed) == reference)
  }

  private func damaged(_ whole: Data, _ random: RandomStream, _ element: Int) -> Data {
    func draw(_ bound: Int, _ number: Int) -> Int {
      random.integer(below: bound, at: 1 << 24 | element | number)
    }
    var damaged = whole
    let start = draw(whole.count, 0)
    switch draw(4, 1) {
    case 0: damaged = whole.prefix(start)
    case 1: damaged.append(whole[start...])
    case 2: damaged.removeSubrange(start..<min(whole.count, start + 1 + draw(16, 2)))
    default:
      for i in start..<min(whole.count, start + 8) {
        damaged[i] = UInt8([0, 255, draw(256, 3 + i - start)][draw(3, 12)])
      }
    }
    return damaged
  }

  /// A checksum keeps accidents out, not whoever can compute one.
  @Test("is refused or read right also with checksums that fit what has changed", arguments: [nil, 3])
  func forged(bands: Int?) throws {
    let reference = try pack(bands: bands)
    let manifest = try Data(contentsOf: URL(fileURLWithPath: "\(made.packed)/manifest.json"))
    let names = ["shard-00000-of-00002.mels", "test-00001-of-00002.mels"]
    var random = SeededGenerator(seed: 14)
    for name in names {
      let whole = try [UInt8](Data(contentsOf: URL(fileURLWithPath: "\(made.packed)/\(name)")))
      let frontBytes = Forgery.frontBytes(of: whole)
      for trial in 0..<600 {
        var front = Array(whole[..<frontBytes])
        let position = Int.random(in: 8..<frontBytes, using: &random)
        switch trial % 3 {
        case 0: front[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: front[position] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random)!
        default:
          for place in position..<min(frontBytes, position + 8) {
            front[place] = UInt8.random(in: 0...255, using: &random)
          }
        }
        let forged = Forgery.seal(front + whole[frontBytes...], frontBytes: frontBytes)
        let list = try Forgery.list(forged, as: name, in: [UInt8](manifest))
        try Data(list).write(to: URL(fileURLWithPath: "\(made.packed)/manifest.json"))
        try expectFailureOrEquality(to: reference, name, Data(forged), "byte \(position), trial \(trial)")
      }
      try Data(whole).write(to: URL(fileURLWithPath: "\(made.packed)/\(name)"))
    }
    for trial in 0..<400 {
      let forged = Forgery.sealManifest([UInt8](manifest).mutated(using: &random))
      try expectFailureOrEquality(to: reference, "manifest.json", Data(forged), "manifest, trial \(trial)")
    }
    try manifest.write(to: URL(fileURLWithPath: "\(made.packed)/manifest.json"))
    #expect(try Contents(made.packed) == reference)
  }

  @Test("with frames that changed is found out when its shard is prepared, not before and not by others")
  func payload() throws {
    try made.pack(2)
    let path = "\(made.packed)/shard-00001-of-00002.mels"
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: URL(fileURLWithPath: path))
    let corpus = try Corpus.open(made.packed)
    try corpus.prepare(shards: 0..<1, of: 2, threads: 1) { _, _ in }
    let error = failure { try corpus.prepare(shards: 1..<2, of: 2, threads: 1) { _, _ in } }
    #expect(error?.kind == .badData)
    #expect(error?.message.hasPrefix("\(path) is damaged: the frames of uttr-") == true)
  }

  @Test("whose file was exchanged for another corpus's is refused")
  func exchanged() throws {
    try made.pack(2)
    let other = try TestCorpus([[3, 1], [2, 5, 4], [7]], tests: [2, 3])
    try other.pack(2)
    let name = "shard-00000-of-00002.mels"
    try FileManager.default.removeItem(atPath: "\(made.packed)/\(name)")
    try FileManager.default.copyItem(atPath: "\(other.packed)/\(name)", toPath: "\(made.packed)/\(name)")
    let error = failure { _ = try Corpus.open(made.packed) }
    #expect(error?.message == "\(made.packed)/\(name) is not the file that manifest.json lists: pack again")
  }
}

/// What somebody does who changes a pack and its checksums with it.
private enum Forgery {
  static func frontBytes(of file: [UInt8]) -> Int {
    func number(at offset: Int, _ count: Int) -> Int {
      (0..<count).reduce(0) { $0 | Int(file[offset + $1]) << (8 * $1) }
    }
    return 128 + 32 * number(at: 32, 8) + number(at: 40, 8) + number(at: 64, 4)
  }

  /// With the checksum of its front as it has to be.
  static func seal(_ file: [UInt8], frontBytes: Int) -> [UInt8] {
    let checksum = CRC32.checksum(Array(file[..<124] + file[128..<frontBytes]))
    return file[..<124] + (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) } + file[128...]
  }

  /// The manifest that lists a forged file.
  static func list(_ file: [UInt8], as name: String, in manifest: [UInt8]) throws -> [UInt8] {
    let checksum = (0..<4).reduce(UInt32(0)) { $0 | UInt32(file[124 + $1]) << (8 * $1) }
    var root = try JSON.parse(manifest, name: "manifest.json").object!
    for key in ["shards", "tests"] {
      root[key] = .array(
        root[key]!.array!.map { entry in
          guard entry["file"]?.string == name else { return entry }
          var entry = entry.object!
          entry["crc32"] = .string(String(checksum, radix: 16))
          return .object(entry)
        })
    }
    return sealManifest(Array(JSON.object(root).serialized().utf8))
  }

  /// With the checksum that it has to have, if it is JSON at all.
  static func sealManifest(_ manifest: [UInt8]) -> [UInt8] {
    guard var root = try? JSON.parse(manifest, name: "manifest.json").object else { return manifest }
    root["checksum"] = nil
    let checksum = CRC32.checksum(Array(JSON.object(root).serialized().utf8))
    root["checksum"] = .string(String(checksum, radix: 16))
    return Array(JSON.object(root).serialized().utf8)
  }
}
