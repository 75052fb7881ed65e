import Foundation
import TensorFiles
import TestSupport
import Testing

/// What the tests of this folder share, made once: the small corpus packed, and a run on it as it was made.
enum WholeWay {
  /// Alone, and under `mpirun` with that many ranks; the second has no rank without work, the third an odd number.
  static let groups: [Int?] = [nil, 1, 2, 3]

  static let steps = 80

  /// Where the small corpus is: the homework's folder, and the packed one.
  static var forms: [String] { get throws { [try SmallCorpus.path.get(), try packed.get()] } }

  static let packed = Swift.Result { () throws -> String in
    let path = folder("packed")
    let outcome = try Program.run(packing(to: path))
    try #require(outcome.status == 0, "\(outcome.errors)")
    return path
  }

  /// The run directory of a training alone, from the homework's folder.
  static let run = Swift.Result { () throws -> String in
    let path = folder("run")
    let outcome = try Program.run(training(run: path))
    try #require(outcome.status == 0, "\(outcome.errors)")
    return path
  }

  private static let folder = TemporaryFolder.shared()

  static func packing(to path: String) throws -> [String] {
    ["pack", "--data", try SmallCorpus.path.get(), "--output", path, "--shards", "8"]
  }

  /// Arguments of a training in which the network learns to tell the speakers apart.
  static func training(run: String, data: String? = nil, steps: Int = steps) throws -> [String] {
    try SmallCorpus.training(run: run, steps: steps, data: data)
      + ["--set", "train.learning_rate=0.003", "--set", "train.valid_steps=20"]
  }

  /// The run's weights for another command, in one of the two ways to name them.
  static func weights(_ file: String, of run: String) -> [String] {
    ["--weights", file, "--config", "\(run)/config.yaml"]
  }

  /// What a run has come to: every file of tensors and the configuration, by name.
  static func tensors(_ run: String) throws -> [String: Data] {
    try files(below: run).filter { $0.key.hasSuffix(".safetensors") || $0.key == "config.yaml" }
  }

  /// What a command prints when all goes well.
  static func output(
    _ arguments: [String], ranks: Int? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String {
    let outcome = try Program.run(arguments, ranks: ranks)
    #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
    return outcome.output
  }

  /// The one JSON object that a command prints.
  static func json(_ text: String) throws -> JSON {
    let json = try JSON.parse(Array(text.utf8), name: "standard output")
    try #require(json.object != nil)
    return json
  }
}
