import Foundation
import TensorFiles
import TestSupport
import Testing

extension SmallCorpus {
  /// One that the program itself made, shared by all tests: 4 speakers, 48 utterances and 8 to be told.
  static let path = Result { try synthesize(seed: 1) }

  /// Another one.
  static let other = Result { try synthesize(seed: 2) }

  private static func synthesize(seed: Int) throws -> String {
    let path = TemporaryFolder.shared()("data")
    let made = try Program.run(
      ["synthesize", "--output", path, "--speakers", "4", "--utterances", "48", "--seed", "\(seed)"])
    try #require(made.status == 0, "\(made.errors)")
    return path
  }

  /// Arguments of a training that takes a second.
  ///
  /// - Parameter data: another form of the corpus; `nil` for the folder as it was made.
  static func training(run: String, steps: Int = 20, data: String? = nil) throws -> [String] {
    var arguments = ["train", "--data", try data ?? path.get(), "--run", run]
    for setting in [
      "total_steps=\(steps)", "warmup_steps=5", "valid_steps=10", "save_steps=10", "batch_size=8", "shards=4",
      "segment_length=32",
    ] { arguments += ["--set", "train.\(setting)"] }
    return arguments
  }
}

/// A training of the built program that takes a second, on the corpus that it made itself.
struct TrainingRun {
  /// One small recipe of each encoder; between them every pooling, head and loss.
  static let recipes: [String: [String]] = [
    "transformer": ["encoder.kind=transformer", "encoder.heads=2"],
    "conformer": [
      "encoder.kind=conformer", "encoder.heads=4", "encoder.kernel=7", "pooling.kind=sap", "head=linear",
    ],
    "shared_transformer": ["encoder.kind=shared_transformer", "encoder.layers=3", "head=mlp_sigmoid"],
    "conv_transformer": ["encoder.kind=conv_transformer", "encoder.layers=3", "head=bn_linear"],
    "margin": ["pooling.kind=sap_full", "pooling.attention=8", "head=linear", "loss.kind=am_softmax"],
  ]

  /// The run directory.
  let path: String
  let steps: Int
  private let folder = TemporaryFolder()
  private let data: String
  private let settings: [String]

  /// - Parameter settings: `key=value` beside the recipe's.
  init(
    _ recipe: String = "transformer", steps: Int, saveSteps: Int = 20, data: String? = nil,
    settings: [String] = []
  ) throws {
    path = "\(folder.path)/run"
    self.steps = steps
    self.data = try data ?? SmallCorpus.path.get()
    self.settings =
      [
        "model.d_model=16", "model.encoder.feedforward=32", "train.total_steps=\(steps)",
        "train.warmup_steps=5",
        "train.valid_steps=30", "train.save_steps=\(saveSteps)", "train.batch_size=16", "train.shards=8",
        "train.segment_length=16", "train.learning_rate=0.005",
      ] + (Self.recipes[recipe] ?? []).map { "model.\($0)" } + settings
  }

  /// The command line that begins it, or goes on with it.
  func arguments(resume: Bool = false, threads: Int = 1) -> [String] {
    var arguments = ["train", "--data", data, "--run", path, "--threads", "\(threads)"]
    if resume { return arguments + ["--resume"] }
    for setting in settings { arguments += ["--set", setting] }
    return arguments
  }

  /// Whether there is something to go on with.
  var hasBegun: Bool { FileManager.default.fileExists(atPath: "\(path)/config.yaml") }

  /// Every file below the run directory.
  var files: [String] { ((try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []).sorted() }

  /// The steps of its checkpoints.
  var checkpoints: [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/checkpoints")) ?? []
    return names.compactMap { Int($0.dropFirst("step-".count)) }.sorted()
  }

  /// The lines of `metrics.jsonl` that are whole.
  var metricsLines: Int {
    ((try? String(contentsOfFile: "\(path)/metrics.jsonl", encoding: .utf8)) ?? "").count { $0 == "\n" }
  }

  /// Whether its log has that text, so many times.
  func logs(_ text: String, times: Int = 1) -> Bool {
    let log = (try? String(contentsOfFile: "\(path)/log.txt", encoding: .utf8)) ?? ""
    return log.components(separatedBy: text).count > times
  }

  /// The lines of `metrics.jsonl` or `timeline.jsonl`.
  func lines(of name: String) throws -> [JSON] {
    try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8).split(separator: "\n").map {
      try JSON.parse(Array($0.utf8), name: name)
    }
  }

  /// What is in it in the end, but for what may differ: times, and which processors computed.
  struct Result: Equatable {
    var files: [String: [UInt8]] = [:]
    var metrics = RunMetrics()

    /// The names of what differs.
    func differences(from other: Result) -> [String] {
      var names = Set(files.keys).union(other.files.keys).filter { files[$0] != other.files[$0] }.sorted()
      if metrics != other.metrics { names.append("metrics.jsonl") }
      return names
    }
  }

  func result() throws -> Result {
    var result = Result()
    let digits = String(steps)
    let last = "checkpoints/step-\(String(repeating: "0", count: 8 - digits.count))\(digits)"
    for name in ["\(last)/model.safetensors", "\(last)/optimizer.safetensors", "best/model.safetensors"] {
      result.files[name] = Array(try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")))
    }
    result.metrics = try RunMetrics(run: path)
    return result
  }
}
