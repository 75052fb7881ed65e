import Diagnostics
import Foundation
import SpeechData
import TestSupport
import Testing

@Suite("WeSpeaker's raw.list") struct RawListTests {
  private let folder = TemporaryFolder()

  @Test("names key, speaker and file, and voiced parts in seconds as numbers or strings")
  func plain() throws {
    try folder.touch(["a.wav", "b c.flac"])
    try folder.write(
      """
      {"key": "k2", "spk": "ann\\u00e9", "wav": "b c.flac", "vad": [["0.5", "1.25"], [2, 3.5]]}
      {"key": "k1", "spk": 7, "wav": "\(folder("a.wav"))", "other": null}
      """, to: "raw.list")
    let corpus = try SoundCorpus.open(folder.path)
    #expect(corpus.layout == .rawList)
    #expect(corpus.lines == ["k1 7", "k2 anné"])
    #expect(corpus.recordings[0].segments.isEmpty)
    #expect(
      corpus.recordings[1].segments == [
        Recording.Segment(start: 0.5, end: 1.25), Recording.Segment(start: 2, end: 3.5),
      ])
    #expect(try SoundCorpus.open(folder("raw.list")).recordings == corpus.recordings)
  }

  @Test("refuses a line that is none, and runs nothing")
  func badLines() throws {
    try folder.touch(["a.wav"])
    let mark = folder("mark")
    let bad: [(line: String, says: String)] = [
      (#"{"key": "a", "spk": "s", "wav": "touch \#(mark) |"}"#, "is a command"),
      (#"{"key": "a", "spk": "s", "wav": "https://x/a.wav"}"#, "is an address"),
      (#"{"key": "a", "spk": "s", "wav": "a.wav\u0000b"}"#, "control character"),
      (#"{"key": "a", "spk": "s"}"#, "lacks wav"), (#"{"key": "a", "wav": "a.wav"}"#, "lacks key or spk"),
      (#"{"key": "a", "spk": "s", "feat": "a.ark:3"}"#, "names features"),
      (#"{"key": "a", "spk": "s", "wav": "a.wav""#, "is not read"), (#"{"key": "a"} {}"#, "is not read"),
      (String(repeating: "[", count: 60_000), "is not read"),
      (#"{"key": "a", "spk": "s", "wav": "a.wav", "vad": []}"#, "nobody speaks"),
      (#"{"key": "a", "spk": "s", "wav": "a.wav", "vad": [[1, 0.5]]}"#, "in its vad"),
      (#"{"key": "a", "spk": "s", "wav": "a.wav", "vad": [["nan", 1]]}"#, "in its vad"),
      (#"{"key": "a", "spk": "s", "wav": "a.wav", "vad": [[1]]}"#, "in its vad"),
      (#"{"key": "a", "spk": "s", "wav": "a.wav", "vad": 3}"#, "no list of pairs"),
      (#"{"key": "", "spk": "s", "wav": "a.wav"}"#, "has the key \"\""),
      (#"{"key": "a\n", "spk": "s", "wav": "a.wav"}"#, "has the key"),
      (#"{"key": "good", "spk": "t", "wav": "a.wav"}"#, "is a second \"good\""),
    ]
    try folder.write(
      #"{"key": "good", "spk": "s", "wav": "a.wav"}"# + "\n" + bad.map(\.line).joined(separator: "\n"),
      to: "raw.list")
    let corpus = try SoundCorpus.open(folder.path)
    #expect(corpus.lines == ["good s"])
    #expect(corpus.refused.count == bad.count)
    for (number, entry) in bad.enumerated() {
      #expect(says(corpus.refusals, "raw.list:\(number + 2)", entry.says), "\(corpus.refusals[number])")
    }
    #expect(!FileManager.default.fileExists(atPath: mark))
  }
}

@Suite("SpeechBrain's CSV") struct SpeechBrainTableTests {
  private let folder = TemporaryFolder()
  private let heading = "ID,duration,wav,start,stop,spk_id\n"

  @Test("names parts in samples, has its own folder for $data_root, and fields in quotes")
  func plain() throws {
    try folder.touch(["a.wav", "b,\"c\".wav"])
    try folder.write(
      heading + """
        x--0_48000,8.0,$data_root/a.wav,0,48000,anna\r
        x--3_6,8.0,{data_root}/a.wav, 48000 ,96000.0, anna
        y,2.5,"b,""c"".wav",,,"ber,t"

        z,2.5,\(folder("a.wav")),0,0,anna
        u,2.5,a.wav,0
        v,2.5,"a.wav,0,1,s
        w,2.5,ffmpeg -i a.wav - |,0,1,s
        w,2.5,$root/a.wav,0,1,s
        w,2.5,a.wav,0.5,1,s
        """, to: "x.csv")
    let corpus = try SoundCorpus.open(folder("x.csv"))
    #expect(corpus.layout == .speechBrain)
    #expect(corpus.lines == ["x--0_48000 anna", "x--3_6 anna", "y ber,t"])
    #expect(corpus.recordings.map(\.location.path) == ["a.wav", "a.wav", "b,\"c\".wav"].map { folder($0) })
    #expect(
      corpus.recordings.map(\.segments) == [
        [Recording.Segment(start: 0, end: 48_000, unit: .samples)],
        [Recording.Segment(start: 48_000, end: 96_000, unit: .samples)], [],
      ])
    let expected = [
      "two numbers of samples", "has 4 fields, where the heading has 6", "not closed", "is a command",
      "is not there",
      "two numbers of samples",
    ]
    for (number, words) in expected.enumerated() {
      #expect(says(corpus.refusals, "x.csv:\(number + 6)", words), "\(corpus.refusals[number])")
    }
    #expect(corpus.refused.count == expected.count)
  }

  @Test("in a folder is read by its parts; another CSV makes no layout")
  func parts() throws {
    try folder.touch(["s/a.wav", "s/b.wav", "s/c.wav"])
    try folder.write("name,age\nx,3\n", to: "train.csv")
    #expect(try SoundCorpus.open(folder.path).layout == .speakerFolders)
    try folder.write("wav,spk_id,ID\ns/a.wav,s,a\n", to: "train.csv")
    try folder.write(heading + "b,1,s/b.wav,0,9,s\n", to: "dev.csv")
    try folder.write(heading + "c,1,s/c.wav,0,9,t\nb,1,s/b.wav,0,9,s\n", to: "test.csv")
    let corpus = try SoundCorpus.open(folder.path)
    #expect(corpus.lines == ["a s", "b s", "c t"])
    #expect(corpus.recordings.map(\.part) == [.train, .validation, .test])
    #expect(corpus.speakers == ["s"])
    #expect(says(corpus.refusals, "test.csv:3", "is a second \"b\""))
  }
}
