import Foundation
import SpeechData
import TensorFiles
import TestSupport
import Testing

/// What a disk or a person damages in a packed corpus, packing again mends: in the end every byte is what it was.
@Suite("Packing over a damaged corpus")
struct PackRepairTests {
  /// What is done to a file.
  struct Damage: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let file: String
    let change: @Sendable (inout Data) -> Void

    init(_ description: String, _ file: String, _ change: @escaping @Sendable (inout Data) -> Void) {
      testDescription = description
      self.file = file
      self.change = change
    }

    static let shard = "shard-00001-of-00004.mels"

    /// A bit of the byte at `offset`, counted from the end if it is below 0.
    static func bit(_ description: String, _ file: String = shard, at offset: Int) -> Damage {
      Damage(description, file) { $0[offset < 0 ? $0.count + offset : offset] ^= 0x10 }
    }
  }

  // The offsets are those of docs/formats.md.
  static let damages: [Damage] = [
    .bit("the last row of a shard", at: -1),
    .bit("a row of a test file", "test-00002-of-00004.mels", at: -5 * 40 * 4),
    .bit("the header's fingerprint", at: 17), .bit("the header's count", at: 32),
    .bit("the header's zeros", at: 70), .bit("the header's checksum", at: 124),
    .bit("a row's checksum in the index", at: 128 + 12), .bit("a frame count in the index", at: 128 + 8),
    Damage("a shard that was cut", Damage.shard) { $0 = $0.prefix($0.count / 2) },
    Damage("a shard that was cut in its header", Damage.shard) { $0 = $0.prefix(100) },
    Damage("an empty shard", Damage.shard) { $0 = Data() },
    Damage("a longer shard", Damage.shard) { $0 += Data(count: 64) },
    Damage("a manifest with another speaker", "manifest.json") { manifest in
      let text = String(decoding: manifest, as: UTF8.self)
      manifest = Data(text.replacingOccurrences(of: "\"s02\"", with: "\"s20\"").utf8)
    },
    Damage("a manifest that was cut", "manifest.json") { $0 = $0.prefix($0.count / 2) },
    Damage("an empty manifest", "manifest.json") { $0 = Data() },
  ]

  @Test(
    "a damaged file is noticed and written again, and the others are left as they are", arguments: damages)
  func mended(_ damage: Damage) throws {
    let made = try TestCorpus(count: 25)
    try made.pack(4)
    let names = made.folder.contents(of: "packed")
    let whole = try names.map(made.bytes)
    let inodes = try names.map(made.inode)

    var damaged = try made.bytes(damage.file)
    damage.change(&damaged)
    try #require(damaged != whole[names.firstIndex(of: damage.file)!], "nothing was damaged")
    try damaged.write(to: URL(fileURLWithPath: "\(made.packed)/\(damage.file)"))
    #expect(throws: (any Error).self, "nobody would notice") {
      try Corpus.open(made.packed).prepareEverything()
    }

    try made.pack(4)
    #expect(made.folder.contents(of: "packed") == names)
    for (index, name) in names.enumerated() {
      #expect(try made.bytes(name) == whole[index], "\(name)")
      // What was not damaged is not written again, but for the manifest, which comes last.
      guard name != damage.file, name != "manifest.json" else { continue }
      #expect(try made.inode(name) == inodes[index], "\(name)")
    }
    let corpora = try [made.source, made.packed].map(Corpus.open)
    for corpus in corpora { try corpus.prepareEverything() }
    for utterance in corpora[0].utterances.indices {
      let frames = 0..<corpora[0].utterances[utterance].frames
      #expect(try corpora[0].frames(of: utterance, frames) == corpora[1].frames(of: utterance, frames))
    }
    for test in (corpora[0].tests ?? []).indices {
      let frames = 0..<corpora[0].tests![test].frames
      #expect(try corpora[0].testFrames(of: test, frames) == corpora[1].testFrames(of: test, frames))
    }
  }

  @Test("also shared out over processes, and with several damages at once") func shared() throws {
    let made = try TestCorpus(count: 25)
    try made.pack(4)
    let names = made.folder.contents(of: "packed")
    let whole = try names.map(made.bytes)
    for name in names {
      var damaged = try made.bytes(name)
      damaged[damaged.count - 1] ^= 1
      if name.hasPrefix("test-00000") { damaged.removeLast(32) }
      try damaged.write(to: URL(fileURLWithPath: "\(made.packed)/\(name)"))
    }
    let packer = try Packer(source: made.source, output: made.packed, files: 4)
    for files in [2..<4, 0..<2] { try packer.run(files: files, threads: 2) { _, _ in } }
    try packer.finish()
    #expect(made.folder.contents(of: "packed") == names)
    #expect(try names.map(made.bytes) == whole)
  }

  /// Mending must not become a way to lose a corpus: what is whole but of something else is left alone.
  @Test("a whole file of another corpus is not taken for a damaged one") func foreign() throws {
    let made = try TestCorpus(count: 25)
    try made.pack(4)
    let other = try TestCorpus(count: 26)
    try other.pack(4)
    let strange = try other.bytes(Damage.shard)
    try strange.write(to: URL(fileURLWithPath: "\(made.packed)/\(Damage.shard)"))
    #expect(failure { try made.pack(4) }?.kind == .usage)
    #expect(try made.bytes(Damage.shard) == strange)
  }
}

extension TestCorpus {
  fileprivate func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(packed)/\(name)"))
  }

  fileprivate func inode(_ name: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: "\(packed)/\(name)")[.systemFileNumber] as? Int
  }
}
