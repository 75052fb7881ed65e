import Diagnostics
import Foundation
import SpeechData
import TestSupport
import Testing

@Suite("Layouts that folders tell") struct FolderLayoutTests {
  private let folder = TemporaryFolder()

  @Test(
    "VoxCeleb is recognised from its root, one above and any inner folder, with the keys of its trial lists")
  func voxCeleb() throws {
    let keys = ["id10001/a/00001.wav", "id10001/b-_x/00002.wav", "id10002/c/00001.wav"]
    try folder.touch(keys.map { "up/VoxCeleb1/dev/wav/" + $0 } + ["up/VoxCeleb1/dev/wav/stray.wav"])
    try folder.touch(["up/VoxCeleb1/test/wav/id10270/d/00001.wav", "up/VoxCeleb1/vox1_meta.csv"])
    for (root, count) in [
      ("up", 4), ("up/VoxCeleb1", 4), ("up/VoxCeleb1/dev", 3), ("up/VoxCeleb1/dev/wav", 3),
      ("up/VoxCeleb1/test/wav", 1),
    ] {
      let corpus = try SoundCorpus.open(folder(root))
      #expect(corpus.layout == .voxCeleb)
      #expect(
        corpus.recordings.map(\.key) == (count == 1 ? [] : keys) + (count == 3 ? [] : ["id10270/d/00001.wav"])
      )
      #expect(corpus.recordings.allSatisfy { $0.key.hasPrefix($0.speaker + "/") })
      #expect(corpus.recordings.allSatisfy { FileManager.default.fileExists(atPath: $0.location.path) })
      #expect(corpus.refused.count == (count == 1 ? 0 : 1))
    }
  }

  @Test("VoxCeleb's test speakers have no label beside dev, and one where there is nothing else")
  func voxCelebParts() throws {
    try folder.touch(["dev/wav/id10001/a/1.wav", "test/wav/id10270/b/1.wav", "test/wav/id10271/b/1.wav"])
    let both = try SoundCorpus.open(folder.path)
    #expect(both.speakers == ["id10001"])
    #expect(both.recordings.map(\.part) == [.train, .test, .test])
    #expect(both.recordings.map(both.label) == [0, -1, -1])
    let test = try SoundCorpus.open(folder("test"))
    #expect(test.speakers == ["id10270", "id10271"])
  }

  @Test("VoxCeleb2's AAC is refused with the remedy, but not what is there converted, beside or in wav/")
  func voxCeleb2() throws {
    try folder.touch([
      "dev/aac/id00012/v/00001.m4a", "dev/aac/id00012/v/00002.m4a", "dev/aac/id00012/v/00002.wav",
      "dev/aac/id00013/v/00001.m4a", "dev/wav/id00013/v/00001.flac",
    ])
    let corpus = try SoundCorpus.open(folder.path)
    #expect(corpus.lines == ["id00012/v/00002.wav id00012", "id00013/v/00001.flac id00013"])
    #expect(corpus.refused.map(\.what) == ["dev/aac/id00012/v/00001.m4a"])
    #expect(corpus.refused[0].reason.contains("scripts/convert-m4a"))
  }

  @Test("noise and rooms beside VoxCeleb's wav/ are no speakers")
  func besides() throws {
    try folder.touch([
      "wav/id10001/a/00001.wav", "musan/noise/free-sound/n.wav",
      "RIRS_NOISES/simulated_rirs/smallroom/Room001/Room001-00001.wav",
    ])
    #expect(try SoundCorpus.open(folder.path).lines == ["id10001/a/00001.wav id10001"])
  }

  @Test("speakers of other names beside some that are named as VoxCeleb's are speakers as well")
  func mixed() throws {
    try folder.touch(["id10001/a/1.wav", "bob/a/1.wav"])
    let corpus = try SoundCorpus.open(folder.path)
    #expect(corpus.layout == .speakerFolders)
    #expect(corpus.lines == ["bob/a/1.wav bob", "id10001/a/1.wav id10001"])
  }

  @Test(
    "LibriSpeech is recognised from above, from its root and from a subset; its test subsets are to be tested"
  )
  func libriSpeech() throws {
    try folder.touch([
      "up/LibriSpeech/train-clean-100/103/1240/103-1240-0000.flac",
      "up/LibriSpeech/train-clean-100/19/198/19-198-0001.flac",
      "up/LibriSpeech/train-clean-100/19/198/19-199-0001.flac",
      "up/LibriSpeech/test-clean/61/70968/61-70968-0003.flac", "up/LibriSpeech/SPEAKERS.TXT",
    ])
    for root in ["up", "up/LibriSpeech"] {
      let corpus = try SoundCorpus.open(folder(root))
      #expect(corpus.layout == .libriSpeech)
      #expect(corpus.lines == ["103-1240-0000 103", "19-198-0001 19", "61-70968-0003 61"])
      #expect(corpus.recordings.map(\.part) == [nil, nil, .test])
      #expect(corpus.speakers == ["103", "19"])
      #expect(corpus.refused.count == 1)
    }
    #expect(try SoundCorpus.open(folder("up/LibriSpeech/test-clean")).speakers == ["61"])
  }

  @Test("names of files tell speakers by the first group of --speaker-from, with a slash by the path")
  func fileNames() throws {
    try folder.touch(["recordings/0_jackson_1.wav", "recordings/1_theo_0.wav", "recordings/beep.wav"])
    let corpus = try SoundCorpus.open(folder.path, speakerFrom: #"^\d_([a-z]+)_"#)
    #expect(corpus.layout == .fileNames)
    #expect(corpus.lines == ["recordings/0_jackson_1.wav jackson", "recordings/1_theo_0.wav theo"])
    #expect(says(corpus.refusals, "recordings/beep.wav", "does not match --speaker-from"))
    #expect(try SoundCorpus.open(folder.path, speakerFrom: #"^([a-z]*)/"#).speakers == ["recordings"])
    #expect(
      try SoundCorpus.open(folder("recordings"), layout: .fileNames, speakerFrom: "_(t?)").speakers == ["t"])
  }

  @Test("an expression that is none or has no group, and flags that contradict, are told")
  func expressions() throws {
    try folder.touch(["a_b.wav"])
    expectFailure(.usage, saying: "is no regular expression") {
      try SoundCorpus.open(folder.path, speakerFrom: "(")
    }
    expectFailure(.usage, saying: "has no group") { try SoundCorpus.open(folder.path, speakerFrom: "[a-z]") }
    expectFailure(saying: "does not match") {
      try SoundCorpus.open(folder.path, speakerFrom: "(x)")
    }
    expectFailure(.usage, saying: "--layout kaldi says whose they are") {
      try SoundCorpus.open(folder.path, layout: .kaldi, speakerFrom: "(x)")
    }
    expectFailure(.usage, saying: "needs --speaker-from") {
      try SoundCorpus.open(folder.path, layout: .fileNames)
    }
    expectFailure(saying: "lies in no speaker's folder: --speaker-from") {
      try SoundCorpus.open(folder.path)
    }
  }

  @Test("where two layouts fit both are named, and --layout decides")
  func ambiguous() throws {
    try folder.touch(["a.wav", "LibriSpeech/dev-clean/1/2/1-2-0000.flac", "VoxCeleb1/wav/id10001/v/1.wav"])
    expectFailure(
      .usage, saying: "voxceleb (VoxCeleb1/wav/id…) and librispeech (LibriSpeech/dev-clean/1/2/1-2-0000.flac)"
    ) {
      try SoundCorpus.open(folder.path)
    }
    #expect(try SoundCorpus.open(folder.path, layout: .libriSpeech).lines == ["1-2-0000 1"])
    #expect(try SoundCorpus.open(folder.path, layout: .voxCeleb).speakers == ["id10001"])
    #expect(
      try SoundCorpus.open(folder.path, layout: .speakerFolders).speakers == ["LibriSpeech", "VoxCeleb1"])
    try folder.write("u a.wav\n", to: "wav.scp")
    try folder.write("u s\n", to: "utt2spk")
    #expect(try SoundCorpus.open(folder.path).layout == .kaldi)
    try folder.write("{}\n", to: "raw.list")
    expectFailure(.usage, saying: "kaldi (wav.scp) and raw-list (raw.list): --layout says as which") {
      try SoundCorpus.open(folder.path)
    }
  }
}
