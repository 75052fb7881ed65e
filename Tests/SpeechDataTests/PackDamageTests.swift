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
    var frames: [[Float]]

    init(_ directory: String) throws {
      let corpus = try Corpus.open(directory)
      try corpus.prepareEverything()
      speakers = corpus.speakers
      utterances = corpus.utterances
      tests = corpus.tests
      frames = try corpus.utterances.indices.map {
        try corpus.frames(of: $0, 0..<corpus.utterances[$0].frames)
      }
      let tests = corpus.tests ?? []
      frames += try tests.indices.map { try corpus.testFrames(of: $0, 0..<tests[$0].frames) }
    }
  }

  private let made: TestCorpus
  private let reference: Contents

  init() throws {
    made = try TestCorpus([[3, 1], [2, 5, 4], [6]], tests: [2, 3])
    try made.pack(2)
    reference = try Contents(made.packed)
  }

  /// Writes `damaged` as `name` and expects a `Failure` or the same contents.
  private func expectFailureOrEquality(_ name: String, _ damaged: Data, _ what: String) throws {
    try damaged.write(to: URL(fileURLWithPath: "\(made.packed)/\(name)"))
    do {
      #expect(try Contents(made.packed) == reference, "\(name): \(what)")
    } catch let failure as Failure {
      #expect([.badData, .missingInput].contains(failure.kind), "\(name): \(what): \(failure)")
      #expect(!failure.message.contains("\n"))
    }
  }

  @Test("is refused or read right, whichever bytes of whichever file change")
  func mutations() throws {
    let random = RandomStream(seed: 2026, purpose: .synthesis)
    for (f, name) in made.folder.contents(of: "packed").enumerated() {
      let whole = try Data(contentsOf: URL(fileURLWithPath: "\(made.packed)/\(name)"))
      for offset in whole.indices {
        var damaged = whole
        damaged[offset] ^= UInt8(1 << random.integer(below: 8, at: f << 20 | offset))
        try expectFailureOrEquality(name, damaged, "bit of byte \(offset)")
      }
      for trial in 0..<500 {
        func draw(_ bound: Int, _ element: Int) -> Int {
          random.integer(below: bound, at: 1 << 24 | f << 20 | trial << 4 | element)
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
        try expectFailureOrEquality(name, damaged, "trial \(trial)")
      }
      try whole.write(to: URL(fileURLWithPath: "\(made.packed)/\(name)"))
    }
    #expect(try Contents(made.packed) == reference)
  }

  @Test("with frames that changed is found out when its shard is prepared, not before and not by others")
  func payload() throws {
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
    let other = try TestCorpus([[3, 1], [2, 5, 4], [7]], tests: [2, 3])
    try other.pack(2)
    let name = "shard-00000-of-00002.mels"
    try FileManager.default.removeItem(atPath: "\(made.packed)/\(name)")
    try FileManager.default.copyItem(atPath: "\(other.packed)/\(name)", toPath: "\(made.packed)/\(name)")
    let error = failure { _ = try Corpus.open(made.packed) }
    #expect(error?.message == "\(made.packed)/\(name) is not the file that manifest.json lists: pack again")
  }
}
