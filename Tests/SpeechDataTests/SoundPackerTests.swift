import Audio
import Diagnostics
import Foundation
import SpeechData
import TestSupport
import Testing

@Suite("Packing sound")
struct SoundPackerTests {
  let folder = TemporaryFolder.inMemory()
  let extractor: FeatureExtractor

  init() throws { extractor = try FeatureExtractor(AudioSettings(), FeatureSettings()) }

  @Test("gives the same bytes on any number of processes and threads")
  func ranks() throws {
    let data = try folder.writeSound(speakers: 4, recordings: 5)
    let alone = try pack(data, ranks: 1, threads: 1)
    #expect(
      alone.keys.sorted() == [
        "manifest.json", "shard-00000-of-00002.mels", "shard-00001-of-00002.mels", "source.json",
      ])
    for ranks in [2, 3, 4, 7] {
      #expect(try pack(data, ranks: ranks, threads: 2) == alone, "\(ranks) processes")
    }
  }

  @Test("a pack is the features of its files, its speakers in the order of their bytes")
  func contents() throws {
    let data = try folder.writeSound(speakers: 3, recordings: 4)
    let output = folder("pack")
    _ = try pack(data, ranks: 2, threads: 1, to: "pack")
    let corpus = try Corpus.open(output)
    #expect(corpus.speakers == ["speaker0", "speaker1", "speaker2"])
    #expect(corpus.recipe == extractor.recipe)
    #expect(corpus.utterances.count == 12)
    try corpus.prepare(Array(0..<12), threads: 1) { _, _ in }
    for (index, utterance) in corpus.utterances.enumerated() {
      let expected = try extractor.features(of: SoundSource(path: "\(data)/\(utterance.path)")).0
      var frames = [Float](repeating: 0, count: utterance.frames * corpus.bands)
      try frames.withUnsafeMutableBufferPointer {
        try corpus.copyFrames(of: index, from: 0, count: utterance.frames, into: $0.baseAddress!)
      }
      #expect(frames == expected, "\(utterance.path)")
      #expect(utterance.path.hasPrefix(corpus.speakers[utterance.label]))
    }
  }

  @Test("what cannot be used is left out and listed, and does not end the work")
  func refusals() throws {
    let data = try folder.writeSound(speakers: 2, recordings: 3)
    try folder.write(Array("no sound at all".utf8), to: "sound/speaker0/bad.wav")
    try folder.write(waveFile([Float](repeating: 0.1, count: 8_000)), to: "sound/speaker1/short.wav")
    try folder.write(
      Array(waveFile([Float](repeating: 0.1, count: 32_000)).dropLast(9_000)), to: "sound/speaker1/cut.wav")
    try folder.write([], to: "sound/speaker2/empty.wav")
    let files = try pack(data, ranks: 2, threads: 2)
    let lines = try #require(files["refused.tsv"]).split(separator: 10).map {
      String(decoding: $0, as: UTF8.self)
    }
    #expect(
      lines.map { String($0.split(separator: "\t")[0]) } == [
        "speaker0/bad.wav", "speaker1/cut.wav", "speaker1/short.wav", "speaker2/empty.wav",
      ])
    #expect(lines[2].contains("0.50 s of sound"))
    // A speaker of whom nothing is left is none.
    #expect(try Corpus.open(folder("out")).speakers == ["speaker0", "speaker1"])
  }

  @Test("a pack that was killed goes on where it was, and what has changed since is decoded anew")
  func restart() throws {
    let data = try folder.writeSound(speakers: 3, recordings: 4)
    let packer = try packer(data, "out")
    let lock = try packer.claim()
    try packer.extract(pieces: [1], threads: 1) { _, _ in }
    let rows = "\(folder("out"))/.spool/1.rows"
    let before = try modification(rows)
    try packer.extract(pieces: Array(0..<packer.pieces), threads: 1) { _, _ in }
    #expect(try modification(rows) == before)
    // Another sound under the same name.
    let changed = packer.corpus.recordings[5].location.path
    try FileManager.default.removeItem(atPath: changed)
    try Data(waveFile([Float](repeating: 0.25, count: 20_000))).write(to: URL(fileURLWithPath: changed))
    try packer.extract(pieces: Array(0..<packer.pieces), threads: 1) { _, _ in }
    lock.release()
    #expect(try modification(rows) != before)
    #expect(try packer.gathered().contents.utterances[5].frames == 126)
  }

  @Test("knows a pack that is whole, until a file of its sound changes")
  func whole() throws {
    let data = try folder.writeSound(speakers: 2, recordings: 3)
    _ = try pack(data, ranks: 1, threads: 1)
    #expect(try packer(data, "out").isWhole(files: 2))
    #expect(try !packer(data, "out").isWhole(files: 1))
    try folder.write(waveFile([Float](repeating: 0.25, count: 20_000)), to: "sound/speaker1/1.wav")
    #expect(try !packer(data, "out").isWhole(files: 2))
  }

  @Test("a folder with anything else in it is refused")
  func foreign() throws {
    let data = try folder.writeSound(speakers: 2, recordings: 2)
    try folder.write([1], to: "other/thesis.tex")
    #expect { _ = try packer(data, "other").claim() } throws: { "\($0)".contains("thesis.tex") }
    #expect { _ = try packer(data, "sound") } throws: { ($0 as? Failure)?.kind == .usage }
  }

  @Test("iden_split.txt says what is trained, validated and tested on")
  func parts() throws {
    let tone = waveFile((0..<20_000).map { Float($0 % 100) / 200 })
    var list = ""
    for (index, part) in [1, 2, 3, 1, 2, 1].enumerated() {
      let path = "id1000\(index % 2)/video/0000\(index).wav"
      try folder.write(tone, to: "vox/wav/\(path)")
      list += "\(part) \(path)\n"
    }
    try folder.write(Array(list.utf8), to: "vox/iden_split.txt")
    let files = try pack(folder("vox"), ranks: 2, threads: 1)
    let corpus = try Corpus.open(folder("out"))
    #expect(corpus.utterances.map { $0.path.suffix(5).first } == ["0", "4", "1", "3", "5"])
    #expect(corpus.validation == [1, 2])
    #expect(corpus.tests?.map { $0.path.suffix(5).first } == ["2"])
    let split = TrainValidSplit(of: corpus, seed: 1)
    #expect(split.training == [0, 3, 4] && split.validation == [1, 2])
    // What is in the manifest is believed as far as it fits.
    let manifest = String(decoding: try #require(files["manifest.json"]), as: UTF8.self)
    for wrong in ["[2, 1]", "[1, 5]", "[-1]", "[1, 1]", "{}"] {
      let text = manifest.replacing(#/"validation": \[[^\]]*\]/#, with: "\"validation\": \(wrong)")
      #expect(text != manifest)
      try folder.write(Array(text.utf8), to: "out/manifest.json")
      #expect(throws: Failure.self) { _ = try Corpus.open(folder("out")) }
    }
  }

  @Test("the features of another recipe are another pack")
  func recipe() throws {
    let data = try folder.writeSound(speakers: 2, recordings: 2)
    var features = FeatureSettings()
    features.kind = .wespeaker80
    let extractor = try FeatureExtractor(AudioSettings(), features)
    let first = try pack(data, ranks: 1, threads: 1, to: "a")
    let second = try pack(data, ranks: 1, threads: 1, to: "b", extractor)
    #expect(first["shard-00000-of-00002.mels"] != second["shard-00000-of-00002.mels"])
    #expect(try Corpus.open(folder("b")).bands == 80)
    #expect(try !packer(data, "a", extractor).isWhole(files: 2))
  }

  private func packer(_ data: String, _ output: String, _ extractor: FeatureExtractor? = nil) throws
    -> SoundPacker
  {
    try SoundPacker(SoundCorpus.open(data), extractor ?? self.extractor, output: folder(output))
  }

  /// Packs into two files as so many processes do, and gives all files' bytes.
  private func pack(
    _ data: String, ranks: Int, threads: Int, to name: String = "out", _ extractor: FeatureExtractor? = nil
  ) throws -> [String: [UInt8]] {
    try? FileManager.default.removeItem(atPath: folder(name))
    let packers = try (0..<ranks).map { _ in try packer(data, name, extractor) }
    let lock = try packers[0].claim()
    defer { lock.release() }
    for (rank, packer) in packers.enumerated() {
      try packer.extract(pieces: Array(stride(from: rank, to: packer.pieces, by: ranks)), threads: threads) {
        _, _ in
      }
    }
    let gathered = try packers.map { try $0.gathered() }
    let writers = try gathered.map { try $0.packer(files: 2) }
    for (rank, writer) in writers.enumerated() {
      try writer.run(files: 2 * rank / ranks..<2 * (rank + 1) / ranks, threads: threads) { _, _ in }
    }
    try writers[0].finish()
    try packers[0].finish(gathered[0])
    #expect(!FileManager.default.fileExists(atPath: "\(folder(name))/.spool"))
    var files: [String: [UInt8]] = [:]
    for file in try FileManager.default.contentsOfDirectory(atPath: folder(name)) {
      files[file] = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder(name))/\(file)")))
    }
    return files
  }

  private func modification(_ path: String) throws -> Date {
    try #require(FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date)
  }
}
