import Diagnostics
import Foundation
import SpeechData
import TestSupport
import Testing

@Suite("The built-in corpus as sound") struct SynthesisSoundTests {
  private static let made = Result { try Made() }

  /// One that the tests share.
  private struct Made {
    let folder = TemporaryFolder.inMemory()
    let synthesizer: CorpusSynthesizer
    var path: String { folder("corpus") }

    init() throws {
      synthesizer = try CorpusSynthesizer(
        speakers: 3, utterances: 16, testUtterances: 8, seed: 5, form: .sound)
      try #require(try synthesizer.prepare(path)).release()
      try synthesizer.write(files: synthesizer.files, to: path, threads: 2) { _, _ in }
      try synthesizer.finish(path)
    }

    /// The samples of a file, whose header is checked.
    func samples(_ name: String) throws -> [Float] {
      let bytes = [UInt8](try #require(FileManager.default.contents(atPath: "\(path)/\(name)")))
      let count = (bytes.count - 44) / 2
      func little(_ offset: Int, _ size: Int) -> Int {
        bytes[offset..<offset + size].reversed().reduce(0) { $0 << 8 | Int($1) }
      }
      #expect(bytes.starts(with: "RIFF".utf8) && bytes[8..<16].elementsEqual("WAVEfmt ".utf8))
      #expect(
        little(4, 4) == bytes.count - 8 && little(16, 4) == 16 && little(20, 2) == 1 && little(22, 2) == 1)
      #expect(little(24, 4) == 16_000 && little(28, 4) == 32_000 && little(32, 2) == 2 && little(34, 2) == 16)
      #expect(bytes[36..<40].elementsEqual("data".utf8) && little(40, 4) == 2 * count)
      return (0..<count).map { Float(Int16(truncatingIfNeeded: little(44 + 2 * $0, 2))) / 32_768 }
    }
  }

  private let corpus: Made

  init() throws { corpus = try Self.made.get() }

  @Test("is read as VoxCeleb: the speakers of wav/, and of test/ to test") func layout() throws {
    let opened = try SoundCorpus.open(corpus.path)
    #expect(opened.layout == .voxCeleb)
    #expect(opened.speakers == ["id10001", "id10002", "id10003"])
    #expect(opened.recordings.count == 24 && opened.refused.isEmpty)
    #expect(opened.recordings.count { $0.part == .test } == 8)
    let form = /id\d{5}\/[A-Za-z0-9_-]{11}\/0000[1-4]\.wav/
    #expect(opened.recordings.allSatisfy { $0.key.wholeMatch(of: form) != nil })
    // Sixteen utterances of three speakers, four a video.
    let videos = Set(opened.recordings.filter { $0.part != .test }.map { $0.key.dropLast(10) })
    #expect(videos.count == 6)
  }

  @Test("has the utterances that the features are made of") func utterances() throws {
    var lengths: [Int] = []
    let opened = try SoundCorpus.open(corpus.path)
    for recording in opened.recordings {
      lengths.append(
        try corpus.samples(String(recording.location.path.dropFirst(corpus.path.count + 1))).count)
    }
    #expect(
      lengths.sorted()
        == corpus.synthesizer.utterances.map { corpus.synthesizer.utterance($0).samples }.sorted())
    // The first speaker's first: the lowest file of one of the videos.
    let audio = corpus.synthesizer.audio(0)
    let own = opened.recordings.filter { $0.speaker == "id10001" && $0.key.hasSuffix("/00001.wav") }
    let matching = try own.filter { recording in
      let samples = try corpus.samples(String(recording.location.path.dropFirst(corpus.path.count + 1)))
      return samples.count == audio.count && zip(samples, audio).allSatisfy { abs($0 - $1) <= 0.51 / 32_768 }
    }
    #expect(matching.count == 1)
  }

  @Test("has noise, music and speech as MUSAN does, each another and none silent or clipped") func scenes()
    throws
  {
    let names = corpus.folder.contents(of: "corpus/musan").filter { $0.hasSuffix(".wav") }
    for (kind, count) in [("noise", 4), ("music", 2), ("speech", 2)] {
      let own = names.filter { $0.hasPrefix(kind + "/") }
      #expect(own.count == count)
      #expect(own.allSatisfy { $0.wholeMatch(of: /\w+\/([a-z-]+)\/\w+-\1-\d{4}\.wav/) != nil })
    }
    var seen: Set<[Float]> = []
    for name in names {
      let samples = try corpus.samples("musan/" + name)
      let peak = samples.reduce(0) { max($0, abs($1)) }
      #expect((4 * 16_000...12 * 16_000).contains(samples.count))
      #expect(peak > 0.24 && peak < 0.9)
      #expect(seen.insert(Array(samples.prefix(1000))).inserted)
    }
  }

  @Test(
    "has rooms as RIRS_NOISES does: the direct sound is the peak, and the larger the room the longer it sounds"
  )
  func rooms() throws {
    var lengths: [Double] = []
    for size in ["small", "medium", "large"] {
      let root = "RIRS_NOISES/simulated_rirs/\(size)room"
      let list = try #require(corpus.folder.text("corpus/\(root)/rir_list")).split(separator: "\n").map {
        $0.split(separator: " ").map(String.init)
      }
      #expect(list.count == 8)
      var total = 0
      for line in list {
        let name = try #require(line.last)
        let id = "\(size)-\(name.split(separator: "/").last!.dropLast(4))"
        #expect(line == ["--rir-id", id, "--room-id", String(id.dropLast(6)), name])
        let samples = try corpus.samples(name)
        let peak = samples.indices.max { abs(samples[$0]) < abs(samples[$1]) }!
        #expect(samples[..<peak].allSatisfy { $0 == 0 })
        // In the last third less than in the one before it, as echoes that die away.
        let third = (samples.count - peak) / 3
        func energy(_ range: Range<Int>) -> Float { samples[range].reduce(0) { $0 + $1 * $1 } }
        let parts = (0..<3).map { energy(peak + 1 + $0 * third..<peak + ($0 + 1) * third) }
        #expect(parts[0] > 10 * parts[1] && parts[1] > 10 * parts[2], "\(name): \(parts)")
        total += samples.count
      }
      lengths.append(Double(total))
    }
    #expect(lengths[0] < lengths[1] && lengths[1] < lengths[2])
  }

  @Test("has a list of trials among its test utterances, half of them of one speaker") func trials() throws {
    let lines = try #require(corpus.folder.text("corpus/veri_test.txt")).split(separator: "\n").map {
      $0.split(separator: " ").map(String.init)
    }
    #expect(lines.count >= 4 && lines.count { $0[0] == "1" } * 2 == lines.count)
    for line in lines {
      #expect(line.count == 3 && line[1] != line[2])
      #expect((line[0] == "1") == (line[1].prefix(7) == line[2].prefix(7)))
      for path in line.dropFirst() {
        #expect(FileManager.default.fileExists(atPath: "\(corpus.path)/test/wav/\(path)"))
      }
    }
    #expect(Set(lines.map { Set($0.dropFirst()) }).count == lines.count)
  }

  @Test("what an interruption left is gone on with, to the same bytes; features are another corpus")
  func continued() throws {
    let folder = TemporaryFolder.inMemory()
    let path = folder("corpus")
    try FileManager.default.copyItem(atPath: corpus.path, toPath: path + ".partial")
    let left = folder.contents(of: "corpus.partial").filter { $0.hasSuffix(".wav") }
    for number in stride(from: 0, to: left.count, by: 7) {
      try FileManager.default.removeItem(atPath: folder("corpus.partial/" + left[number]))
    }
    try folder.write("half", to: "corpus.partial/musan/noise/.tmp-0123abcd")
    try #require(try corpus.synthesizer.prepare(path)).release()
    let files = corpus.synthesizer.files
    for range in [10..<files.count, 0..<10] {
      try corpus.synthesizer.write(files: range, to: path, threads: 1) { _, _ in }
    }
    try corpus.synthesizer.finish(path)
    #expect(try TestSupport.files(below: path) == TestSupport.files(below: corpus.path))
    #expect(try corpus.synthesizer.prepare(path) == nil)
    let features = try CorpusSynthesizer(speakers: 3, utterances: 16, testUtterances: 8, seed: 5)
    expectFailure(saying: "holds another corpus") { try features.prepare(path) }
    expectFailure(.usage, saying: "enough for 89999 speakers") {
      try CorpusSynthesizer(speakers: 90_000, utterances: 90_000, seed: 1, form: .sound)
    }
  }
}
