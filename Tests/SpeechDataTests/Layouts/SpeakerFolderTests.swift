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
}
