import Foundation
import TensorFiles
import TestSupport
import Testing

/// Whose voice is in sound files, and in a folder of them.
@Suite("Predict on sound") struct PredictSoundTests {
  /// Three speakers' recordings, and a run on their pack.
  private struct Made {
    let folder = TemporaryFolder.shared()
    let sound: String
    let run: String

    init() throws {
      sound = try folder.writeSound(speakers: 3, recordings: 16)
      run = folder("run")
      let packed = try folder.packSound(sound, to: "packed")
      let outcome = try Program.run(
        SmallCorpus.training(run: run, data: packed)
          + ["--set", "features.mean_norm=utterance", "--set", "train.learning_rate=0.003"])
      try #require(outcome.status == 0, "\(outcome.errors)")
    }

    func files(_ recordings: Range<Int> = 0..<2) -> [String] {
      (0..<3).flatMap { speaker in recordings.map { "\(sound)/speaker\(speaker)/\($0).wav" } }
    }
  }

  private static let made = Result { try Made() }
  private let made: Made
  private let folder = TemporaryFolder()

  init() throws { made = try Self.made.get() }

  private func predict(_ arguments: [String], ranks: Int? = nil) throws -> Program.Outcome {
    try Program.run(["predict", "--run", made.run] + arguments, ranks: ranks)
  }

  @Test(
    "--json prints one object and nothing else: path, seconds, and names with probabilities, the likeliest first"
  )
  func json() throws {
    let outcome = try predict(made.files() + ["--json"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.hasSuffix("}\n") && outcome.output.count { $0 == "\n" } == 1)
    let object = try #require(JSON.parse(Array(outcome.output.utf8), name: "output").object)
    #expect(object.map(\.key) == ["files"])
    let files = try #require(object["files"]?.array)
    #expect(files.map { $0["path"]?.string } == made.files())
    for file in files {
      #expect(file.object?.map(\.key) == ["path", "seconds", "speakers"])
      let seconds = try #require(file["seconds"]?.double)
      #expect(abs(seconds - (file["path"]?.string?.hasSuffix("0.wav") == true ? 1.2 : 1.3)) < 1e-9)
      let speakers = try #require(file["speakers"]?.array)
      #expect(speakers.allSatisfy { $0.object?.map(\.key) == ["name", "probability"] })
      #expect(Set(speakers.map { $0["name"]?.string }) == ["speaker0", "speaker1", "speaker2"])
      let probabilities = speakers.compactMap { $0["probability"]?.double }
      #expect(probabilities == probabilities.sorted(by: >))
      #expect(abs(probabilities.reduce(0, +) - 1) < 1e-12)
    }
    let two = try predict(made.files() + ["--json", "--top", "2", "--output", folder("two.json")])
    #expect(two.status == 0 && two.output.isEmpty)
    let short = try JSON.read(path: folder("two.json"))["files"]?.array
    #expect(short?.map { $0["speakers"]?.array?.count } == [Int?](repeating: 2, count: 6))
    #expect(
      short?[0]["speakers"]?.array.map { Array($0) }
        == files[0]["speakers"]?.array.map { Array($0.prefix(2)) })
  }

  @Test("prints a table of the same without --json")
  func table() throws {
    let file = made.files()[0]
    let object = try JSON.parse(Array(predict([file, "--json"]).output.utf8), name: "output")
    let speakers = try #require(object["files"]?.array?[0]["speakers"]?.array)
    let lines = speakers.map { speaker in
      String(format: "  %5.1f %%  ", 100 * (speaker["probability"]?.double ?? .nan))
        + (speaker["name"]?.string ?? "")
    }
    #expect(try predict([file]).output == (["\(file) (1.2 s)"] + lines).joined(separator: "\n") + "\n")
    #expect(try predict([file, "--output", folder("table.txt")]).status == 0)
    #expect(folder.text("table.txt") == (["\(file) (1.2 s)"] + lines).joined(separator: "\n") + "\n")
  }

  @Test(
    "answers for a folder in rows, in the order of its keys, and the same as for its pack; on any number of ranks"
  )
  func data() throws {
    let logits = folder("logits.safetensors")
    let alone = try predict(["--data", made.sound, "--logits", logits])
    #expect(alone.status == 0, "\(alone.errors)")
    let rows = alone.output.components(separatedBy: "\r\n")
    #expect(rows.count == 50 && rows[0] == "Id,Category" && rows[49].isEmpty)
    let keys = rows[1..<49].map { $0.split(separator: ",")[0] }
    #expect(
      keys.map(String.init) == keys.map(String.init).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
    let bytes = FileManager.default.contents(atPath: logits)
    for ranks in [1, 2, 3] {
      let outcome = try predict(["--data", made.sound, "--logits", logits, "--threads", "2"], ranks: ranks)
      #expect(outcome.status == 0 && outcome.output == alone.output)
      #expect(FileManager.default.contents(atPath: logits) == bytes)
      let packed = try predict(["--data", made.folder("packed"), "--logits", logits], ranks: ranks)
      #expect(packed.status == 0 && packed.output == alone.output, "\(packed.errors)")
      #expect(FileManager.default.contents(atPath: logits) == bytes)
    }
    let json = try [made.sound, made.folder("packed")].map { data in
      let outcome = try predict(["--data", data, "--json", "--output", "-"])
      return try #require(JSON.parse(Array(outcome.output.utf8), name: "output")["files"]?.array)
    }
    #expect(json[0].map { $0["path"] } == json[1].map { $0["path"] })
    #expect(json[0].map { $0["speakers"] } == json[1].map { $0["speakers"] })
  }

  @Test(
    "what cannot be read is a line each and the status 65 in the end; the others are answered",
    arguments: [nil, 2])
  func bad(ranks: Int?) throws {
    let text = try folder.write("no sound", to: "text.wav")
    let whole = try [UInt8](Data(contentsOf: URL(filePath: made.files()[0])))
    let cut = try folder.write(whole.dropLast(9_000), to: "cut.wav")
    let good = made.files()
    let outcome = try predict([text] + good + [cut, folder("none.wav"), folder.path, "--json"], ranks: ranks)
    #expect(outcome.status == 65)
    let errors = outcome.errorLines
    #expect(errors.count == 4, "\(outcome.errors)")
    for (error, path) in zip(errors, [text, cut, folder("none.wav"), folder.path]) {
      #expect(error.hasPrefix("error: \(path): "), "\(error)")
    }
    let answers = try JSON.parse(Array(outcome.output.utf8), name: "output")["files"]?.array
    #expect(answers?.map { $0["path"]?.string } == good)
    let gone = try predict([folder("none.wav"), "--json"], ranks: ranks)
    #expect(gone.status == 66 && gone.output == "{\"files\": []}\n")
    #expect(gone.errorLines == ["error: \(folder("none.wav")): no such file"])
    // A cut one is taken where that is asked for.
    #expect(try predict([cut, "--set", "audio.truncated=accept"], ranks: ranks).status == 0)
  }

  @Test("evaluates sound by the features that it was trained on, whatever its configuration says")
  func evaluation() throws {
    let folder = TemporaryFolder()
    let packed = folder("packed"), run = folder("run")
    let packing = try Program.run(
      [
        "pack", "--data", made.sound, "--output", packed, "--shards", "4", "--set",
        "features.kind=wespeaker80",
      ])
    #expect(packing.status == 0, "\(packing.errors)")
    #expect(try Program.run(SmallCorpus.training(run: run, data: packed)).status == 0)
    let results = try [packed, made.sound].map { data in
      let outcome = try Program.run(
        ["evaluate", "--run", run, "--data", data, "--whole", "--json"],
        variables: ["XDG_CACHE_HOME": folder("cache")])
      #expect(outcome.status == 0, "\(outcome.errors)")
      return outcome.output
    }
    #expect(results[0] == results[1])
  }

  @Test("what a layout leaves out is told too")
  func refused() throws {
    let data = try folder.writeSound(speakers: 2, recordings: 2, to: "voices")
    try folder.write("", to: "voices/speaker1/x.m4a")
    let outcome = try predict(["--data", data])
    #expect(outcome.status == 65)
    #expect(outcome.output.components(separatedBy: "\r\n").count == 6)
    #expect(outcome.errorLines.count == 1 && outcome.errors.contains("convert-m4a"), "\(outcome.errors)")
  }

  @Test("hears as the run heard: by the recipe that the weights carry, which no key contradicts")
  func recipe() throws {
    let file = made.files()[0], best = "\(made.run)/best/model.safetensors"
    let byFile = ["predict", "--weights", best, "--config", "\(made.run)/config.yaml", file, "--json"]
    #expect(try Program.run(byFile).output == predict([file, "--json"]).output)
    let contradicted = try predict([file, "--set", "audio.trim=sox"])
    #expect(contradicted.status == 64)
    #expect(
      contradicted.errorLines.first?.contains("--set audio.trim: features are made as those that") == true)

    // Weights from elsewhere say neither.
    var weights = try Safetensors.read(path: best)
    func variant(_ metadata: [String: String]) throws -> [String] {
      weights.metadata = metadata
      try Safetensors.write(weights, to: folder("weights.safetensors"))
      return [
        "predict", "--weights", folder("weights.safetensors"), "--config", "\(made.run)/config.yaml", file,
      ]
    }
    let silent = try Program.run(variant([:]))
    #expect(silent.status == 0)
    #expect(silent.errors.contains("does not say what its features were made with"))
    #expect(silent.errors.contains("does not say what its speakers are called"))
    let numbers = silent.output.split(separator: "\n").dropFirst().map { $0.split(separator: " ").last ?? "" }
    #expect(Set(numbers) == ["0", "1", "2"])
    // Names are text from a file.
    let hostile = try Program.run(variant(["speakers": #"["a\u001b[31m", "b\nc", "d"]"#]))
    #expect(hostile.status == 0 && !hostile.output.contains("\u{1b}"))
    #expect(hostile.output.contains(#"a\u001b[31m"#) && hostile.output.contains(#"b\nc"#))
    for metadata in [["speakers": #"["a"]"#], ["recipe": "[]"], ["recipe": #"{"version": 99}"#]] {
      let refused = try Program.run(variant(metadata))
      #expect(refused.status == 65 && refused.errorLines.count == 1, "\(refused.errors)")
    }
  }

  @Test(
    "contradictory or missing inputs are told in a line",
    arguments: [
      ([], "expected sound files, or --data"), (["a.wav", "--data", "d"], "found both"),
      (["a.wav", "--top", "0"], "--top: expected 1 or more, found 0"),
    ])
  func usage(arguments: [String], words: String) throws {
    let outcome = try predict(arguments)
    #expect(outcome.status == 64)
    #expect(outcome.errorLines.count == 1 && outcome.errorLines[0].contains(words), "\(outcome.errors)")
  }
}
