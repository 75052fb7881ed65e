import Foundation
import TensorFiles
import TestSupport
import Testing

@Suite struct UsageTests {
  /// Wrong command lines, and the one line each gets.
  static let wrong: [(arguments: [String], message: String)] = [
    (["evalute"], "unknown command 'evalute': did you mean 'evaluate'?"),
    (
      ["frobnicate"],
      "unknown command 'frobnicate': the commands are train, launch, evaluate, predict, embed, score, "
        + "calibrate, enroll, identify, verify, gradients, pack, synthesize, recipes, convert, bench, plan, baseline, help"
    ),
    (
      ["train", "--confg", "x"],
      "Unknown option '--confg'. Did you mean '--config'? See 'speakerid-dist train --help'."
    ),
    (["train", "extra"], "Unexpected argument 'extra'. See 'speakerid-dist train --help'."),
    (["train", "--resume"], "--resume: expected --run DIR, the run to go on with"),
    (
      ["train", "--threads", "0"],
      "--threads: expected 1 or more, found 0. See 'speakerid-dist train --help'."
    ),
    (["evaluate", "--data", "x"], "expected --run DIR, or --weights FILE with --config FILE"),
    (
      ["evaluate", "--data", "x", "--weights", "w.pt"],
      "--weights: expected the network's --config FILE with it"
    ),
    (
      ["evaluate", "--data", "x", "--run", "r", "--weights", "w.pt"],
      "--run and --weights: expected one of them, found both"
    ),
    (
      ["pack", "--data", "x"],
      "Missing expected argument '--output <dir>'. See 'speakerid-dist pack --help'."
    ),
    (
      ["bench", "stp"],
      "The value 'stp' is invalid for '<subject>'. Please provide one of 'step', 'validate', 'infer', "
        + "'allreduce' or 'data'. See 'speakerid-dist bench --help'."
    ),
    (["convert", "a", "b.pt"], "a: expected a file name that ends in .safetensors, .pt, .pth or .ckpt"),
  ]

  @Test("a wrong command line is answered in one line", arguments: wrong.indices) func wrongLine(index: Int)
    throws
  {
    let (arguments, message) = Self.wrong[index]
    let outcome = try Program.run(arguments)
    #expect(outcome.status == 64)
    #expect(outcome.errors == "error: \(message)\n")
    #expect(outcome.output.isEmpty)
  }

  @Test("under mpirun rank 0 alone speaks", arguments: [1, 2, 3]) func rankZero(ranks: Int) throws {
    let outcome = try Program.run(["evalute"], ranks: ranks)
    #expect(outcome.status == 64)
    #expect(outcome.errorLines == ["error: unknown command 'evalute': did you mean 'evaluate'?"])
    #expect(outcome.output.isEmpty)
  }

  @Test("the status tells what went wrong") func statuses() throws {
    let folder = TemporaryFolder()
    let broken = try folder.write("this is no safetensors file", to: "broken.safetensors")
    let good = "\(folder.path)/good.safetensors"
    try Safetensors.write(NamedTensors([("a", Tensor(float32: [1, 2], shape: [2]))]), to: good)
    #expect(try Program.run(["convert", "\(folder.path)/none.pt", "\(folder.path)/x.pt"]).status == 66)
    #expect(try Program.run(["convert", broken, "\(folder.path)/x.pt"]).status == 65)
    #expect(try Program.run(["convert", good, "\(folder.path)/no/such/folder/x.pt"]).status == 74)
    #expect(try Program.run(["pack", "--data", "\(folder.path)/none", "--output", folder.path]).status == 66)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/x.pt"))
  }

  @Test("weights survive the way to PyTorch's file and back", arguments: [nil, 2]) func conversion(
    ranks: Int?
  ) throws {
    let folder = TemporaryFolder()
    let names = ["a.safetensors", "b.ckpt", "c.safetensors"].map { "\(folder.path)/\($0)" }
    let weights = NamedTensors([
      ("prenet.weight", Tensor(float32: (0..<80).map(Float.init), shape: [2, 40])),
      ("norm.num_batches_tracked", Tensor(int64: [7], shape: [])),
    ])
    try Safetensors.write(weights, to: names[0])
    #expect(try Program.run(["convert", names[0], names[1]], ranks: ranks).status == 0)
    #expect(try Program.run(["convert", names[1], names[2]], ranks: ranks).status == 0)
    let back = try Safetensors.read(path: names[2])
    #expect(Set(back.names) == Set(weights.names))
    for name in weights.names { #expect(back[name] == weights[name]) }
  }

  @Test("shared weights get their further names in a PyTorch file") func sharedWeights() throws {
    let folder = TemporaryFolder()
    let stored = "\(folder.path)/once.safetensors", exported = "\(folder.path)/repeated.ckpt"
    let tensor = Tensor(float32: [1, 2], shape: [2])
    let metadata = ["layers.1.bias": "layers.0.bias", "format": "pt", "step": "no tensor"]
    try Safetensors.write(NamedTensors([("layers.0.bias", tensor)], metadata: metadata), to: stored)
    #expect(try Program.run(["convert", stored, exported]).status == 0)
    let weights = try TorchFile.readStateDict(path: exported)
    #expect(weights.names == ["layers.0.bias", "layers.1.bias"])
    #expect(weights.allSatisfy { $0.tensor == tensor })
  }

  @Test("recipes prints a table, or one JSON object", arguments: [nil, 2]) func recipes(ranks: Int?) throws {
    let outcome = try Program.run(["recipes", "--json"], ranks: ranks)
    #expect(outcome.status == 0)
    let json = try JSON.parse(Array(outcome.output.utf8), name: "recipes")
    #expect(json["recipes"]?.array?.count == 24)
    #expect(json["recipes"]?.array?.first?["parameters"]?.int == 125_896)
    let table = try Program.run(["recipes"], ranks: ranks).output
    #expect(table.contains("003-sap-full64"))
  }

  @Test("help and version are printed once", arguments: [nil, 2]) func help(ranks: Int?) throws {
    let version = try Program.run(["--version"], ranks: ranks)
    #expect(version.status == 0)
    #expect(version.output.split(separator: "\n").count == 1)
    let help = try Program.run(["--help"], ranks: ranks)
    #expect(help.status == 0)
    #expect(help.output.components(separatedBy: "OVERVIEW").count == 2)
    #expect(help.errors.isEmpty)
  }
}
