import Foundation
import TensorFiles
import Testing

/// A training of the built program that takes a second, on a corpus that it made itself.
struct TrainingRun {
  /// Made once: 4 speakers, 48 utterances.
  private static let corpus = Swift.Result { () throws -> ScratchFolder in
    let folder = try ScratchFolder.shared()
    let made = try Program.run(
      [
        "synthesize", "--output", "\(folder.path)/data", "--speakers", "4", "--utterances", "48", "--seed",
        "2",
      ])
    try #require(made.status == 0, "\(made.errors)")
    return folder
  }

  static var data: String { get throws { try corpus.get().path + "/data" } }

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
  private let folder: ScratchFolder
  private let data: String
  private let settings: [String]

  /// - Parameter settings: `key=value` beside the recipe's.
  init(
    _ recipe: String = "transformer", steps: Int, saveSteps: Int = 20, data: String? = nil,
    settings: [String] = []
  ) throws {
    folder = try ScratchFolder()
    path = "\(folder.path)/run"
    self.steps = steps
    self.data = try data ?? Self.data
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
    var metrics: [JSON] = []

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
    result.metrics = try lines(of: "metrics.jsonl").map { line in
      var object = line.object ?? JSONObject()
      object["steps_per_s"] = nil
      return .object(object)
    }
    return result
  }
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): random choices that a seed repeats.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
