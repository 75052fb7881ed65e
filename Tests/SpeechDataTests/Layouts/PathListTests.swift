import Diagnostics
import Foundation
import SpeechData
import TestSupport
import Testing

@Suite("Lists of paths of VoxCeleb") struct PathListTests {
  private let folder = TemporaryFolder()

  private func recognised(_ name: String) throws -> Layout { try SoundCorpus.open(folder(name)).layout }

  @Test("train_list.txt finds its files below itself, wav/ and VoxCeleb's folders, also converted since")
  func trainList() throws {
    try folder.touch([
      "id00012/a/1.wav", "wav/id00013/a/1.wav", "voxceleb2/dev/aac/id00014/a/1.wav",
      "voxceleb1/id10001/a/1.flac",
      "voxceleb2/dev/aac/id00015/a/1.m4a",
    ])
    try folder.write(
      """
      id00012 id00012/a/1.wav\r
      id00013 id00013/a/1.wav

      id00014 id00014/a/1.wav
      x10001  id10001/a/1.wav
      id00015 id00015/a/1.wav
      id00016 id00016/a/1.wav
      id00017
      id00018 touch mark |
      """, to: "train_list.txt")
    let corpus = try SoundCorpus.open(folder.path)
    #expect(corpus.layout == .trainList)
    #expect(
      corpus.lines == [
        "id00012/a/1.wav id00012", "id00013/a/1.wav id00013", "id00014/a/1.wav id00014",
        "id10001/a/1.wav x10001",
      ])
    #expect(corpus.recordings.allSatisfy { FileManager.default.fileExists(atPath: $0.location.path) })
    #expect(
      says(corpus.refusals, "train_list.txt:6", "of which there is the .m4a alone: scripts/convert-m4a"))
    #expect(says(corpus.refusals, "train_list.txt:7", "is not there"))
    #expect(says(corpus.refusals, "train_list.txt:8", "SPEAKER PATH is expected"))
    #expect(says(corpus.refusals, "train_list.txt:9", "is a command (\"touch mark |\")"))
    #expect(corpus.refused.count == 4)
    #expect(try SoundCorpus.open(folder("train_list.txt")).recordings == corpus.recordings)
  }

  @Test("iden_split.txt says what is to train, to validate and to test; the folder is the speaker")
  func idenSplit() throws {
    let keys = ["id10001/a/1.wav", "id10001/b/1.wav", "id10002/a/1.wav", "id10003/a/1.wav"]
    try folder.touch(keys.map { "wav/" + $0 })
    try folder.write(
      zip(["1", "2", "3", "1"], keys).map { "\($0) \($1)\n" }.joined() + "4 \(keys[0])\n1 x.wav\n",
      to: "iden_split.txt")
    let corpus = try SoundCorpus.open(folder.path)
    #expect(corpus.layout == .idenSplit)
    #expect(corpus.recordings.map(\.key) == keys)
    #expect(corpus.recordings.map(\.part) == [.train, .validation, .test, .train])
    #expect(corpus.speakers == ["id10001", "id10003"])
    #expect(says(corpus.refusals, "iden_split.txt:5", "where 1, 2 or 3 is expected"))
    #expect(says(corpus.refusals, "iden_split.txt:6", "is in no speaker's folder"))
  }

  @Test("a list of another name is known by its lines; where two fit --layout decides")
  func byContent() throws {
    try folder.touch(["id10001/a/1.wav", "1/a/1.wav"])
    try folder.write("anna id10001/a/1.wav\n", to: "x.txt")
    try folder.write("1 id10001/a/1.wav\n3 1/a/1.wav\n", to: "y.txt")
    #expect(try recognised("x.txt") == .trainList)
    expectFailure(.usage, saying: "train-list (speakers 1, 2 and 3) and iden-split (to train") {
      try recognised("y.txt")
    }
    #expect(try SoundCorpus.open(folder("y.txt"), layout: .idenSplit).speakers == ["id10001"])
    #expect(try SoundCorpus.open(folder("y.txt"), layout: .trainList).speakers == ["1", "3"])
  }

  @Test("what is no list, or none of recordings, is told")
  func others() throws {
    try folder.write("1 a/1.wav b/1.wav\n0 a/1.wav c/1.wav\n", to: "veri_test.txt")
    try folder.write("", to: "empty.txt")
    try folder.write("one\ntwo\n", to: "words.txt")
    try folder.touch(["x.wav"])
    mkfifo(folder("pipe"), 0o600)
    expectFailure(.usage, saying: "a list of trials, which 'score' takes") { try recognised("veri_test.txt") }
    expectFailure(saying: "is empty") { try recognised("empty.txt") }
    expectFailure(saying: "is no list that is known: words.txt:1 is \"one\"") { try recognised("words.txt") }
    expectFailure(.usage, saying: "is a sound file") { try recognised("x.wav") }
    expectFailure(.missingInput, saying: "no such folder, and no such list") { try recognised("gone") }
    expectFailure(saying: "is a pipe, a socket or a device") { try recognised("pipe") }
    expectFailure(saying: "is a pipe, a socket or a device") { try SoundCorpus.open("/dev/zero") }
  }

  @Test("lines that are no text are refused one by one, and a list of nothing else is none")
  func lines() throws {
    try folder.touch(["a/1.wav"])
    let long = Array(repeating: UInt8(ascii: "x"), count: 700_000)
    let bytes: [[UInt8]] = [
      [0xEF, 0xBB, 0xBF] + "a a/1.wav\n".utf8, Array("b b\u{0}/1.wav\n".utf8), [0x61, 0x20, 0xFF, 0x0A],
      Array("c ".utf8) + long + Array("/1.wav\n".utf8), Array("d d/1.wav".utf8),
    ]
    try folder.write(bytes.joined(), to: "train_list.txt")
    let corpus = try SoundCorpus.open(folder.path)
    #expect(corpus.lines == ["a/1.wav a"])
    #expect(says(corpus.refusals, "train_list.txt:2", "a byte of zero"))
    #expect(says(corpus.refusals, "train_list.txt:3", "is not UTF-8"))
    #expect(says(corpus.refusals, "train_list.txt:4", "is longer than 65536 bytes"))
    #expect(says(corpus.refusals, "train_list.txt:5", "is not there"))
    try folder.write([UInt8](repeating: 0xA0, count: 5000).flatMap { [$0, 0x0A] }, to: "train_list.txt")
    expectFailure(saying: "is no list of text: train_list.txt:1001 is not UTF-8") {
      try SoundCorpus.open(folder.path)
    }
  }
}
