import Diagnostics
import Foundation
import SpeechData
import TestSupport
import Testing

@Suite("Speaker folders") struct SpeakerFolderTests {
  private let folder = TemporaryFolder()

  @Test("the first folder is the speaker, whatever is below, and the order is that of bytes")
  func speakers() throws {
    for name in ["b/z.wav", "b/a/x.FLAC", "a-1/x.ogg", "a/v/w/x.mp3", "a.b/x.opus", "é/x.wav", "a/notes.txt"]
    {
      try folder.write("sound", to: name)
    }
    let corpus = try SoundCorpus.open(folder.path)
    #expect(
      corpus.recordings.map(\.key) == [
        "a-1/x.ogg", "a.b/x.opus", "a/v/w/x.mp3", "b/a/x.FLAC", "b/z.wav", "é/x.wav",
      ])
    #expect(corpus.speakers == ["a", "a-1", "a.b", "b", "é"])
    #expect(corpus.recordings.map(corpus.label) == [1, 2, 0, 3, 3, 4])
    #expect(corpus.recordings[0].location == .file(folder("a-1/x.ogg")))
    #expect(corpus.refused.isEmpty)
  }

  @Test(
    "what is no file, not UTF-8 or another kind of sound is refused unopened, and other files are passed over"
  )
  func refusals() throws {
    try folder.touch([
      "a/x.wav", "a/x.m4a", "a/z.m4a", "a/y.sph", "a/notes.txt", "a/.hidden.wav", ".git/x.wav", "a/no suffix",
      "loose.wav",
    ])
    mkfifo(folder("a/pipe.wav"), 0o600)
    symlink("/dev/zero", folder("a/zero.wav"))
    symlink("gone", folder("a/gone.flac"))
    let name: [UInt8] = Array(folder("a/").utf8) + [0xFF] + ".wav".utf8 + [0]
    close(
      name.withUnsafeBytes {
        open($0.baseAddress!.assumingMemoryBound(to: CChar.self), O_CREAT | O_WRONLY, 0o600)
      })
    let corpus = try SoundCorpus.open(folder.path)
    #expect(corpus.lines == ["a/x.wav a"])
    let expected = [
      ("a/gone.flac", "cannot be reached"), ("a/pipe.wav", "is no file, but a pipe"),
      ("a/z.m4a", "scripts/convert-m4a"),
      ("a/y.sph", "make WAV or FLAC of it"), ("a/zero.wav", "is no file, but a pipe"),
      ("a/\u{FFFD}.wav", "rename it"),
      ("loose.wav", "lies in no speaker's folder"),
    ]
    for (file, words) in expected {
      #expect(says(corpus.refusals, file, words), "\(file): \(corpus.refusals)")
    }
    #expect(corpus.refused.count == expected.count)
  }

  @Test("folders that are named as parts are none of speakers, unless others stand beside them")
  func parts() throws {
    try folder.touch([
      "Train/anna/x.wav", "Train/bert/s/x.wav", "test/anna/y.wav", "test/carl/x.wav", "valid/bert/x.wav",
    ])
    let corpus = try SoundCorpus.open(folder.path)
    #expect(
      corpus.lines == [
        "Train/anna/x.wav anna", "Train/bert/s/x.wav bert", "test/anna/y.wav anna", "test/carl/x.wav carl",
        "valid/bert/x.wav bert",
      ])
    #expect(corpus.recordings.map(\.part) == [.train, .train, .test, .test, .validation])
    #expect(corpus.speakers == ["anna", "bert"])
    try folder.touch(["dora/x.wav"])
    #expect(try SoundCorpus.open(folder.path).speakers == ["Train", "dora", "test", "valid"])
    #expect(try SoundCorpus.open(folder("Train")).speakers == ["anna", "bert"])
  }

  @Test("links are followed once, a circle of them ends, and a tree that is too deep is left at its end")
  func links() throws {
    try folder.touch([
      "a/x.wav", "elsewhere/in/y.wav", "deep/" + String(repeating: "d/", count: 40) + "z.wav",
    ])
    symlink("../elsewhere/in", folder("a/more"))
    symlink("..", folder("a/up"))
    let corpus = try SoundCorpus.open(folder.path)
    #expect(corpus.lines == ["a/x.wav a", "elsewhere/in/y.wav elsewhere"])
    #expect(says(corpus.refusals, "a/more", "a folder that is read already"))
    #expect(says(corpus.refusals, "a/up", "a folder that is read already"))
    #expect(corpus.refused.contains { $0.reason.contains("lies more than 32 folders deep") })
    #expect(try SoundCorpus.open(folder("a")).lines == ["more/y.wav more"])
  }
}
