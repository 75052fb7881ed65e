import Diagnostics
import Foundation
import SpeechData
import TestSupport
import Testing

@Suite("A directory of Kaldi's") struct KaldiDirectoryTests {
  private let folder = TemporaryFolder()

  private func open() throws -> SoundCorpus { try SoundCorpus.open(folder.path) }

  private func write(_ recordings: String, _ speakers: String, segments: String? = nil) throws {
    try folder.write(recordings, to: "wav.scp")
    try folder.write(speakers, to: "utt2spk")
    if let segments { try folder.write(segments, to: "segments") }
  }

  @Test("is recognised by wav.scp, takes paths relative to itself, and is in the order of its keys' bytes")
  func plain() throws {
    try folder.touch(["b 1.wav", "audio/a.flac", "c.wav"])
    try write("b-1  b 1.wav\r\n\na-1\taudio/a.flac \r\nC-1 \(folder("c.wav"))", "a-1 anna\nb-1 b\nC-1 anna\n")
    let corpus = try open()
    #expect(corpus.layout == .kaldi)
    #expect(corpus.lines == ["C-1 anna", "a-1 anna", "b-1 b"])
    #expect(
      corpus.recordings.map(\.location.path) == ["c.wav", "audio/a.flac", "b 1.wav"].map { folder($0) })
    #expect(corpus.refused.isEmpty)
    #expect(try SoundCorpus.open(folder("wav.scp")).recordings == corpus.recordings)
  }

  @Test("may say whose is what in spk2utt alone")
  func bySpeaker() throws {
    try folder.touch(["a.wav", "b.wav"])
    try write("u1 a.wav\nu2 b.wav", "")
    try FileManager.default.removeItem(atPath: folder("utt2spk"))
    expectFailure(.missingInput, saying: "neither utt2spk nor spk2utt") { try open() }
    try folder.write("s u1 u2\n", to: "spk2utt")
    #expect(try open().lines == ["u1 s", "u2 s"])
  }

  @Test("has segments in seconds, with the file's end as -1 and a channel")
  func segments() throws {
    try folder.touch(["r.wav"])
    try write(
      "r r.wav", "u1 a\nu2 b\nu3 a\n", segments: "u1 r 0 1.5\nu2 r 2.25 -1 1\nu3 r 1 1.1 -1\n")
    let corpus = try open()
    #expect(corpus.lines == ["u1 a", "u2 b", "u3 a"])
    #expect(corpus.refused.isEmpty)
    #expect(corpus.recordings[0].segments == [Recording.Segment(start: 0, end: 1.5)])
    #expect(corpus.recordings[1].segments == [Recording.Segment(start: 2.25, end: .infinity)])
    #expect(corpus.recordings.map(\.channel) == [nil, 1, nil])
  }

  @Test("refuses a segment that is none, and goes on")
  func badSegments() throws {
    try folder.touch(["r.wav"])
    let bad = [
      "a r 1": "has 3 fields", "b r 2 1": "begins at 0 or later", "c r -1 1": "begins at 0 or later",
      "d r 1 1.05": "shorter than 0.1 s", "e r nan 1": "two times in seconds", "f r 0 inf": "two times",
      "g r 0 1 x": "has the channel \"x\"", "h r 0 1 -2": "has the channel", "i r 1 1": "begins at 0",
      "j r 0 1 0 0": "has 6 fields", "k r 0 1": "whose speaker is not listed",
      "l r 0 99999999999999999999999999 7777777777777777777777": "has the channel",
    ].sorted { $0.key < $1.key }
    let speakers = "good s\n" + bad.map { $0.key.prefix(1) + " s\n" }.filter { $0 != "k s\n" }.joined()
    try write("r r.wav", speakers, segments: "good r 0 1\n" + bad.map { $0.key + "\n" }.joined())
    let corpus = try open()
    #expect(corpus.lines == ["good s"])
    for (number, line) in bad.enumerated() {
      #expect(
        says(corpus.refusals, "segments:\(number + 2)", line.value), "\(line): \(corpus.refusals[number])")
    }
    // Also the speaker of the line that has too few fields to be an utterance.
    #expect(corpus.refused.count == bad.count + 2)
  }

  @Test("runs nothing: a command, standard input or an address is refused with its line and the remedy")
  func commands() throws {
    try folder.touch(["good.wav", "x.m4a"])
    let mark = folder("mark")
    let bad = [
      ("ffmpeg -i x.m4a - |", "scripts/convert-m4a"), ("touch \(mark) |", "nothing that a list says is run"),
      ("| touch \(mark)", "nothing that a list says is run"), ("-", "standard input"),
      ("https://host/x.wav", "nothing is fetched"), ("s3://x/y.wav", "nothing is fetched"),
      ("pipe:touch \(mark)", "nothing is fetched"), ("$(touch \(mark))", "is not there"),
      ("x.m4a", "scripts/convert-m4a makes WAV of it"), ("", "names no file"), ("/dev/null", "is no file"),
      (".", "is a folder"), ("gone.wav", "looked for in the working folder and \(folder.path)"),
      ("x.wav", "of which there is the .m4a alone"),
    ]
    try write(
      bad.enumerated().map { "u\($0) \($1.0)\n" }.joined() + "good good.wav\n",
      bad.indices.map { "u\($0) s\n" }.joined() + "good s\n")
    let corpus = try open()
    #expect(corpus.lines == ["good s"])
    #expect(corpus.refused.count == bad.count)
    for (number, entry) in bad.enumerated() {
      #expect(
        says(corpus.refusals, "wav.scp:\(number + 1)", entry.1), "\(entry): \(corpus.refusals[number])")
    }
    #expect(!FileManager.default.fileExists(atPath: mark))
  }

  @Test("with nothing that can be read is an error that gives the first reasons")
  func nothing() throws {
    try write("a touch x |\nb -\n", "a s\nb s\n")
    expectFailure(saying: "\"wav.scp:1\" is a command (\"touch x |\")") { try open() }
  }

  @Test("that contradicts itself is an error with file and lines")
  func contradictions() throws {
    try folder.touch(["a.wav", "b.wav"])
    try write("u a.wav\n", "u s\nv s\nu t\n")
    expectFailure(saying: "utt2spk, line 3: says that \"u\" is \"t\", and line 1 that it is \"s\"") {
      try open()
    }
    try write("u a.wav\n", "u s\n", segments: "u w 0 1\n")
    expectFailure(saying: "segments, line 1: is a part of \"w\", which wav.scp does not name") { try open() }
    try write("u a.wav\nu b.wav\n", "u s\n", segments: "u u 0 1\n")
    expectFailure(saying: "wav.scp, line 2: the recording \"u\" is there already") { try open() }
  }

  @Test("finds a WAV inside an archive by PATH:OFFSET, as long as it says and no longer than the file")
  func archive() throws {
    func wav(_ size: Int, _ count: Int) -> [UInt8] {
      let length = (0..<4).map { UInt8(truncatingIfNeeded: size >> (8 * $0)) }
      return Array("RIFF".utf8) + length + Array("WAVE".utf8) + Array(repeating: 7, count: count - 12)
    }
    let ark = Array("u1 ".utf8) + wav(42, 50) + Array("u2 ".utf8) + wav(1 << 30, 60)
    try folder.write(ark, to: "x.ark")
    try write(
      "u1 x.ark:3\nu2 x.ark:56\nu3 x.ark:4\nu4 x.ark:99999999999\nu5 x.ark:999999999999999999999\nu6 x.ark:-3\n",
      (1...6).map { "u\($0) s\n" }.joined())
    let corpus = try open()
    #expect(
      corpus.recordings.map(\.location) == [
        .member(archive: folder("x.ark"), offset: 3, bytes: 50),
        .member(archive: folder("x.ark"), offset: 56, bytes: 60),
      ])
    #expect(says(corpus.refusals, "wav.scp:3", "where no WAV begins"))
    #expect(says(corpus.refusals, "wav.scp:4", "where no WAV begins"))
    #expect(corpus.refused.count == 4)
  }
}
