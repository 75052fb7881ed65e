import Foundation
import TensorFiles
import TestSupport
import Testing

/// Results that would take the place of each other or of what they are made from, and results for a pipe.
@Suite("Places of results") struct OutputTests {
  private func refused(_ arguments: [String], _ message: String, ranks: Int? = nil, in folder: String? = nil)
    throws
  {
    let outcome = try Program.run(arguments, ranks: ranks, in: folder)
    #expect(outcome.status == 64, "\(arguments): \(outcome.errors)")
    #expect(outcome.errorLines == ["error: \(message)"], "\(outcome.errors)")
  }

  @Test("two results in one file are refused, however it is spelt", arguments: [nil, 2])
  func oneFileForTwo(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let path = folder.path
    try FileManager.default.createDirectory(atPath: "\(path)/sub", withIntermediateDirectories: false)
    _ = try folder.write("mine", to: "there.csv")
    try FileManager.default.createSymbolicLink(atPath: "\(path)/soft", withDestinationPath: "there.csv")
    try FileManager.default.linkItem(atPath: "\(path)/there.csv", toPath: "\(path)/hard")
    try FileManager.default.createSymbolicLink(atPath: "\(path)/elsewhere", withDestinationPath: path)
    let call = ["predict", "--run", try WholeWay.run.get(), "--data", try SmallCorpus.path.get()]
    for (output, logits) in [
      ("new", "new"), ("new", "./new"), ("new", "sub/../new"), ("new", "\(path)/new"),
      ("new", "elsewhere/new"),
      ("there.csv", "soft"), ("there.csv", "hard"), ("elsewhere/there.csv", "there.csv"),
    ] {
      try refused(
        call + ["--output", output, "--logits", logits],
        "--logits \(logits): this is also --output; expected a file of its own", ranks: ranks, in: path)
    }
    try refused(
      call + ["--output", "-", "--logits", "-"], "--logits: only one result goes to standard output",
      ranks: ranks, in: path)
    #expect(try files(below: path)["there.csv"] == Data("mine".utf8))
    #expect(!FileManager.default.fileExists(atPath: "\(path)/new"))
  }

  @Test("what is read is not written over", arguments: [nil, 2]) func inputs(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let path = folder.path
    try FileManager.default.copyItem(atPath: try SmallCorpus.path.get(), toPath: "\(path)/data")
    try FileManager.default.copyItem(atPath: try WholeWay.run.get(), toPath: "\(path)/run")
    try FileManager.default.copyItem(
      atPath: "\(path)/run/best/model.safetensors", toPath: "\(path)/w.safetensors")
    try FileManager.default.copyItem(atPath: "\(path)/run/config.yaml", toPath: "\(path)/c.yaml")
    let before = try files(below: path)
    let data = "expected another file"
    let predict = ["predict", "--data", "data"]
    for file in ["data/metadata.json", "./data/mapping.json", "\(path)/data/testdata.json"] {
      try refused(
        predict + ["--run", "run", "--output", file],
        "--output \(file): this is a file of the data folder data; \(data)", ranks: ranks, in: path)
    }
    for file in [
      "run/config.yaml", "run/metrics.jsonl", "run/best/model.safetensors", "run/best/new", "run/log.txt",
    ] {
      try refused(
        predict + ["--run", "run", "--output", file],
        "--output \(file): this is a file of the run run; \(data)",
        ranks: ranks, in: path)
    }
    let weights = ["--weights", "w.safetensors", "--config", "c.yaml"]
    try refused(
      predict + weights + ["--output", "o.csv", "--logits", "w.safetensors"],
      "--logits w.safetensors: this is what --weights reads; \(data)", ranks: ranks, in: path)
    try refused(
      predict + weights + ["--output", "data/../c.yaml"],
      "--output data/../c.yaml: this is what --config reads; \(data)", ranks: ranks, in: path)
    try Safetensors.write(
      NamedTensors([
        ("mels", Tensor(float32: [Float](repeating: 0, count: 4 * 9 * 40), shape: [4, 9, 40])),
        ("labels", Tensor(int64: [0, 1, 2, 3], shape: [4])),
      ]), to: "\(path)/batch.safetensors")
    let gradients = ["gradients", "--batch", "batch.safetensors"] + weights
    for (file, input) in [
      ("batch.safetensors", "--batch"), ("./w.safetensors", "--weights"), ("c.yaml", "--config"),
    ] {
      try refused(
        gradients + ["--output", file], "--output \(file): this is what \(input) reads; \(data)",
        ranks: ranks, in: path)
    }
    try FileManager.default.removeItem(atPath: "\(path)/batch.safetensors")
    #expect(try files(below: path) == before)
    // A result beside them is nobody's loss, also the second time.
    for _ in 0..<2 {
      let outcome = try Program.run(
        predict + ["--run", "run", "--output", "run/output.csv"], ranks: ranks, in: path)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
  }

  @Test("a folder of data does not become a run", arguments: [nil, 2]) func dataFolder(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let path = folder.path
    try FileManager.default.copyItem(atPath: try SmallCorpus.path.get(), toPath: "\(path)/data")
    try FileManager.default.copyItem(atPath: try WholeWay.packed.get(), toPath: "\(path)/packed")
    try FileManager.default.createSymbolicLink(atPath: "\(path)/link", withDestinationPath: "data")
    let before = try files(below: path)
    for (run, file) in [("data", "metadata.json"), ("link", "metadata.json"), ("packed", "manifest.json")] {
      for dry in [[], ["--dry-run"]] {
        try refused(
          SmallCorpus.training(run: run, data: "data") + dry,
          "--run \(run): this is a data folder, with a \(file); expected a folder of the run's own",
          ranks: ranks,
          in: path)
      }
    }
    #expect(try files(below: path) == before)
  }

  @Test("standard output gets the bytes of the file and nothing else", arguments: [nil, 2])
  func standardOutput(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let path = folder.path
    let call = ["predict", "--run", try WholeWay.run.get(), "--data", try SmallCorpus.path.get(), "--output"]
    #expect(try Program.run(call + ["\(path)/file.csv"], ranks: ranks).status == 0)
    let shown = try Program.run(call + ["-"], ranks: ranks, in: path)
    #expect(shown.status == 0)
    #expect(try Data(contentsOf: URL(fileURLWithPath: "\(path)/file.csv")) == Data(shown.output.utf8))
    #expect(shown.errors.contains("predictions with"))
    #expect(try files(below: path).count == 1)
  }

  @Test("gradients go through a pipe") func gradientsThroughAPipe() throws {
    let folder = TemporaryFolder()
    let path = folder.path
    try Safetensors.write(
      NamedTensors([
        ("mels", Tensor(float32: (0..<4 * 9 * 40).map { Float($0 % 7) }, shape: [4, 9, 40])),
        ("labels", Tensor(int64: [0, 1, 2, 3], shape: [4])),
      ]), to: "\(path)/batch.safetensors")
    let run = try WholeWay.run.get()
    let call =
      "\(Program.path) gradients --batch batch.safetensors --config \(run)/config.yaml"
      + " --weights \(run)/best/model.safetensors --output"
    let outcome = try Program.run(
      ["-c", "\(call) file.safetensors && \(call) - | cat >pipe.safetensors"], in: path, program: "/bin/bash")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let files = try TestSupport.files(below: path)
    #expect(files["file.safetensors"]?.isEmpty == false)
    #expect(files["pipe.safetensors"] == files["file.safetensors"])
  }

  @Test("a configuration comes from a process's output") func processSubstitution() throws {
    let folder = TemporaryFolder()
    let run = try WholeWay.run.get()
    let call =
      "\(Program.path) evaluate --json --data \(try SmallCorpus.path.get()) --weights \(run)/best/model.safetensors"
    let outcome = try Program.run(
      ["-c", "\(call) --config <(sleep 0.2; cat \(run)/config.yaml)"], in: folder.path, program: "/bin/bash")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let expected = try WholeWay.output(
      ["evaluate", "--json", "--data", SmallCorpus.path.get()]
        + WholeWay.weights("\(run)/best/model.safetensors", of: run))
    #expect(outcome.output == expected)
  }
}
