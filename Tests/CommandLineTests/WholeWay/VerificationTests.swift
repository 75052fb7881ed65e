import Foundation
import TensorFiles
import TestSupport
import Testing

/// From recordings to figures: embed, score, calibrate.
@Suite("Verification") struct VerificationTests {
  /// Three speakers' recordings, their pack, and a run on it.
  private struct Made {
    let folder = TemporaryFolder.shared()
    let sound: String, packed: String, run: String

    init() throws {
      sound = try folder.writeSound(speakers: 3, recordings: 8)
      run = folder("run")
      packed = try folder.packSound(sound, to: "packed")
      let outcome = try Program.run(
        SmallCorpus.training(run: run, data: packed)
          + ["--set", "features.mean_norm=utterance", "--set", "train.learning_rate=0.003"])
      try #require(outcome.status == 0, "\(outcome.errors)")
    }
  }

  private static let made = Result { try Made() }
  private let made: Made
  private let folder = TemporaryFolder()

  init() throws { made = try Self.made.get() }

  private func embed(_ arguments: [String], to name: String, ranks: Int? = nil) throws -> Program.Outcome {
    try Program.run(["embed", "--run", made.run, "--output", folder(name)] + arguments, ranks: ranks)
  }

  private func bytes(_ name: String) -> Data? { FileManager.default.contents(atPath: folder(name)) }

  @Test("embeddings are the same file from any number of ranks, of sound as of its pack")
  func ranks() throws {
    let alone = try embed(["--data", made.sound, "--json"], to: "a.safetensors")
    #expect(alone.status == 0, "\(alone.errors)")
    let object = try JSON.parse(Array(alone.output.utf8), name: "output")
    #expect(object["embeddings"]?.int == 24 && object["width"]?.int == 80 && object["failed"]?.int == 0)
    for ranks in [1, 2, 3] {
      #expect(try embed(["--data", made.sound], to: "b.safetensors", ranks: ranks).status == 0)
      #expect(bytes("b.safetensors") == bytes("a.safetensors"))
    }
    #expect(try embed(["--data", made.packed], to: "p.safetensors", ranks: 2).status == 0)
    let sound = try Safetensors.read(path: folder("a.safetensors"))
    let packed = try Safetensors.read(path: folder("p.safetensors"))
    let keys = try JSON.parse(Array(try #require(sound.metadata["keys"]).utf8), name: "keys").array
    #expect(keys?.count == 24 && keys?.first == "speaker0/0.wav")
    #expect(sound["embeddings"]?.shape == [24, 80])
    #expect(packed == sound)
  }

  @Test("all formats hold the same, and recordings that cannot be read are left out with status 65")
  func formats() throws {
    let files = (0..<3).map { "\(made.sound)/speaker\($0)/0.wav" }
    let broken = try folder.write("no sound", to: "text.wav")
    for name in ["e.safetensors", "e.npy", "e.ark"] {
      let outcome = try embed(files + [broken], to: name, ranks: name == "e.npy" ? 2 : nil)
      #expect(outcome.status == 65)
      #expect(outcome.errorLines.contains { $0.contains("text.wav: is no sound") }, "\(outcome.errors)")
    }
    #expect(folder.text("e.npy.keys") == files.map { "\($0)\n" }.joined())
    let values = try #require(try Safetensors.read(path: folder("e.safetensors"))["embeddings"]).bytes
    #expect(bytes("e.npy").map { Array($0.suffix(values.count)) } == values)
    let table = try #require(folder.text("e.scp")).split(separator: "\n")
    let archive = try #require(bytes("e.ark"))
    for (index, line) in table.enumerated() {
      let fields = line.split(separator: " ")
      #expect(fields[0] == files[index] && fields[1].hasPrefix(folder("e.ark")))
      let start = try #require(Int(fields[1].split(separator: ":").last ?? "")) + 10
      #expect(Array(archive[start..<start + 320]) == Array(values[320 * index..<320 * (index + 1)]))
    }
  }

  @Test("features made otherwise are refused, and so is an output that is no file of embeddings")
  func refusals() throws {
    let corpus = try SmallCorpus(speakers: 3, utterances: 12)
    let other = try corpus.packSound(
      "other", files: 2, bands: 40, recipe: #"{"kind": "wespeaker80", "bands": 40, "trim": "sox"}"#)
    let outcome = try embed(["--data", other], to: "x.npy")
    #expect(outcome.status == 65 && outcome.errors.contains("was trained on"), "\(outcome.errors)")
    let file = "\(made.sound)/speaker0/0.wav"
    for (arguments, name, words) in [
      ([file], "x.txt", "expected a file called"), ([file, file], "x.npy", "is named twice"),
      ([], "x.npy", "expected sound files"), ([file], "x.scp", "expected the .ark"),
    ] {
      let outcome = try embed(arguments, to: name)
      #expect(outcome.status == 64 && outcome.errors.contains(words), "\(outcome.errors)")
    }
    #expect(folder.contents.isEmpty)
  }

  @Test(
    "score tells the figures by their keys and writes what calibrate reads; the same on any number of ranks")
  func scores() throws {
    #expect(try embed(["--data", made.sound], to: "e.ark").status == 0)
    let keys = (0..<3).flatMap { speaker in (0..<8).map { "speaker\(speaker)/\($0).wav" } }
    var trials = ""
    for (index, a) in keys.enumerated() {
      for b in keys[(index + 1)...] {
        trials += "\(a) \(b) \(a.prefix(8) == b.prefix(8) ? "target" : "nontarget")\n"
      }
    }
    try folder.write(trials, to: "trials")
    let scoring = ["score", "--embeddings", folder("e.ark"), "--trials", folder("trials"), "--json"]
    let plain = try Program.run(scoring + ["--output", folder("s.txt")])
    #expect(plain.status == 0, "\(plain.errors)")
    let figures = try #require(JSON.parse(Array(plain.output.utf8), name: "output").object)
    #expect(
      figures.map(\.key) == [
        "trials", "targets", "eer", "eer_rocch", "min_dcf_0.01", "min_dcf_0.05", "act_dcf_0.01", "cllr",
        "min_cllr",
        "threshold_eer",
      ])
    #expect(figures["trials"]?.int == 276 && figures["targets"]?.int == 84)
    let fitted = try Program.run(["calibrate", "--scores", folder("s.txt"), "--output", folder("c.json")])
    #expect(fitted.status == 0, "\(fitted.errors)")
    let calibrated = try Program.run(scoring + ["--calibration", folder("c.json")])
    let after = try JSON.parse(Array(calibrated.output.utf8), name: "output")
    #expect(after["eer"] == figures["eer"])
    #expect(try #require(after["cllr"]?.double) <= figures["cllr"]!.double!)
    let norm = ["--cohort", folder("e.scp"), "--mean", folder("e.ark"), "--top", "10"]
    let alone = try Program.run(scoring + norm + ["--output", folder("n.txt")])
    #expect(alone.status == 0, "\(alone.errors)")
    #expect(folder.text("n.txt") != folder.text("s.txt"))
    for ranks in [1, 2, 4] {
      let together = try Program.run(scoring + norm + ["--output", folder("n\(ranks).txt")], ranks: ranks)
      #expect(together.output == alone.output)
      #expect(folder.text("n\(ranks).txt") == folder.text("n.txt"))
    }
  }

  @Test("what cannot be scored is told in a line, alone and on ranks", arguments: [nil, 2])
  func mistakes(ranks: Int?) throws {
    #expect(try embed(["--data", made.sound], to: "e.npy").status == 0)
    func score(_ trials: String, _ more: [String] = []) throws -> Program.Outcome {
      try Program.run(
        ["score", "--embeddings", folder("e.npy"), "--trials", try folder.write(trials, to: "t")] + more,
        ranks: ranks)
    }
    let (a, b) = ("speaker0/0.wav", "speaker1/0.wav")
    for (outcome, status, words) in [
      (try score("1 \(a) who\n"), 65, "t:1: \"who\" is not among the 24 keys"),
      (try score("1 \(a) \(b)\n"), 65, "no nontarget trials"),
      (try score("\(a) \(b)\n"), 65, "t:1: is no trial"),
      (try score("1 \(a) \(b)\n", ["--cohort", folder("gone.ark")]), 66, "no such file"),
      (try score("1 \(a) \(b)\n", ["--output", "-", "--json"]), 64, "expected a file"),
      (try score("1 \(a) \(b)\n", ["--output", folder("t")]), 64, "--trials reads"),
      (try score("1 \(a) \(b)\n", ["--top", "1"]), 64, "--top: expected 2 or more"),
      (try score("1 \(a) \(b)\n", ["--calibration", folder("t")]), 65, "t: line 1"),
    ] {
      #expect(
        outcome.status == status && outcome.errors.contains(words),
        "\(outcome.status) \(outcome.errors)")
    }
  }

  private func voice(_ speaker: Int, _ recordings: Range<Int>) -> [String] {
    recordings.map { "\(made.sound)/speaker\(speaker)/\($0).wav" }
  }

  private func run(_ command: String, _ arguments: [String], ranks: Int? = nil) throws -> Program.Outcome {
    try Program.run([command, "--run", made.run] + arguments, ranks: ranks)
  }

  @Test("enrolled speakers are found among all, the same alone and on ranks; other weights are refused")
  func enrolled() throws {
    let stores = [("a", nil), ("b", 2)]
    for (name, ranks) in stores {
      for speaker in 0..<3 {
        let outcome = try run(
          "enroll", ["--store", folder(name), "--speaker", "s\(speaker)"] + voice(speaker, 0..<3),
          ranks: ranks)
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
    }
    #expect(bytes("a") == bytes("b"))
    let probes = voice(0, 5..<6) + voice(2, 5..<6)
    let outcomes = try [nil, 3].map {
      try run("identify", ["--store", folder("a"), "--json"] + probes, ranks: $0)
    }
    #expect(outcomes[0].status == 0 && outcomes[0].output == outcomes[1].output, "\(outcomes[0].errors)")
    let files = try #require(JSON.parse(Array(outcomes[0].output.utf8), name: "output")["files"]?.array)
    #expect(files.map { $0["path"]?.string } == probes)
    for (file, speaker) in zip(files, ["s0", "s2"]) {
      #expect(file.object?.map(\.key) == ["path", "seconds", "speakers"])
      let speakers = try #require(file["speakers"]?.array)
      #expect(speakers.first?["name"]?.string == speaker && speakers.count == 3)
      let scores = speakers.compactMap { $0["score"]?.double }
      #expect(scores == scores.sorted(by: >) && scores.allSatisfy { (-1...1).contains($0) })
    }
    let last = "\(made.run)/checkpoints/step-00000020/model.safetensors"
    let weights = try Safetensors.read(path: last)
    var changed = weights
    changed["prenet.weight"] = Tensor(
      elementType: .float32, shape: weights["prenet.weight"]!.shape,
      bytes: weights["prenet.weight"]!.bytes.map { $0 ^ 1 })
    try Safetensors.write(changed, to: folder("other.safetensors"))
    let other = try Program.run(
      [
        "identify", "--weights", folder("other.safetensors"), "--config", "\(made.run)/config.yaml",
        "--store", folder("a"),
      ]
        + probes)
    #expect(other.status == 65 && other.errors.contains("enrolled with other weights"), "\(other.errors)")
  }

  @Test("a claim is decided by a calibration and its prior, and without one by nothing") func verified()
    throws
  {
    #expect(
      try run("enroll", ["--store", folder("s"), "--speaker", "ann"] + voice(1, 0..<2)).status == 0)
    // So steep that a cosine of half decides.
    try folder.write(
      #"{"format": "speakerid-dist calibration", "scale": 1000, "offset": -500}"#, to: "c.json")
    func verify(_ arguments: [String], ranks: Int? = nil) throws -> JSON {
      let outcome = try run("verify", arguments + ["--json"], ranks: ranks)
      #expect(outcome.status == 0, "\(outcome.errors)")
      return try JSON.parse(Array(outcome.output.utf8), name: "output")
    }
    let claim = ["--store", folder("s"), "--speaker", "ann"],
      calibration = ["--calibration", folder("c.json")]
    let plain = try verify(claim + voice(1, 4..<5))
    #expect(plain.object?.map(\.key) == ["score"])
    let decided = try verify(claim + voice(1, 4..<5) + calibration)
    let score = try #require(decided["score"]?.double)
    #expect(decided["score"] == plain["score"])
    #expect(abs(try #require(decided["llr"]?.double) - (1000 * score - 500)) < 1e-9)
    #expect(abs(try #require(decided["threshold"]?.double) - 2.944439) < 1e-6)
    #expect(decided["accepted"]?.bool == (1000 * score - 500 > 2.944439))
    let same =
      voice(1, 4..<5) + [
        try folder.write(Data(contentsOf: URL(filePath: voice(1, 4..<5)[0])), to: "copy.wav")
      ]
    let copy = try verify(same + calibration + ["--prior", "0.5"], ranks: 2)
    #expect(abs(try #require(copy["score"]?.double) - 1) < 1e-12 && copy["accepted"]?.bool == true)
    #expect(copy["threshold"]?.double == 0)
    for (arguments, status, words) in [
      (voice(1, 0..<3), 64, "expected two sound files"),
      (claim + voice(1, 0..<2), 64, "expected two sound files"),
      (["--store", folder("s")] + voice(1, 0..<1), 64, "needs the --speaker"),
      (["--store", folder("s"), "--speaker", "anne"] + voice(1, 0..<1), 65, "did you mean \"ann\"?"),
      (claim + voice(1, 0..<1) + ["--prior", "1"], 64, "--prior: expected"),
      (claim + [folder("gone.wav")], 66, "no such file"),
    ] {
      let outcome = try run("verify", arguments)
      #expect(
        outcome.status == status && outcome.errors.contains(words), "\(outcome.status) \(outcome.errors)")
    }
  }
}
