import Audio
import Diagnostics
import TensorFiles

/// Everything a run needs to go on bit for bit: no generator state and no rank, because random numbers depend
/// on the step alone.
public struct Checkpoint: Equatable, Sendable {
  /// How far the run is.
  public var progress: RunProgress
  /// The weights under their PyTorch names.
  public var model: NamedTensors
  /// AdamW's moments.
  public var optimizer: NamedTensors

  /// A checkpoint of these parts.
  public init(progress: RunProgress, model: NamedTensors, optimizer: NamedTensors) {
    self.progress = progress
    self.model = model
    self.optimizer = optimizer
  }
}

/// How far a run is, and what it was computed with.
public struct RunProgress: Equatable, Sendable {
  /// Steps done.
  public var step: Int
  /// The best validation so far.
  public var best: BestResult?
  /// The run's configuration: each key's value, as YAML writes it. Versions before noted the seed and the shards alone.
  public var settings: [String: String]
  /// The kernel sets in use, one name per rank: other kernels give other low bits.
  public var kernels: [String]
  /// The corpus it is trained on (`Corpus.fingerprint`); `nil` in runs of versions that did not note it.
  public var data: UInt64?
  /// What the features were made of sound with; `nil` where nobody noted it.
  public var recipe: FeatureRecipe?
  /// Whether a validation was due at this step and was given up for a signal: the run goes on with it.
  public var lacksValidation = false
  /// Training figures since the last line of the metrics, so that the next line is that of an undisturbed run.
  public var window = MetricsWindow()

  /// The progress of a run after `step` steps.
  public init(step: Int, best: BestResult? = nil, configuration: Configuration, kernels: [String] = []) {
    self.step = step
    self.best = best
    settings = Self.settings(of: configuration)
    self.kernels = kernels
  }

  /// The keys to which a configuration gives another value than the run was trained with, with both values.
  public func differences(
    to configuration: Configuration
  ) -> [(key: ConfigurationKey, trained: String, now: String)] {
    ConfigurationKey.all.compactMap { key in
      guard let noted = settings[key.name] else { return nil }
      // As this version writes the value.
      var earlier = configuration
      let trained = key.set(noted, in: &earlier) ? key.value(in: earlier) ?? "null" : noted
      let now = key.value(in: configuration) ?? "null"
      return trained == now ? nil : (key, trained, now)
    }
  }

  /// Takes the values of a configuration that the run goes on with.
  mutating func take(_ configuration: Configuration) { settings = Self.settings(of: configuration) }

  private static func settings(of configuration: Configuration) -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: ConfigurationKey.all.map { ($0.name, $0.value(in: configuration) ?? "null") })
  }
}

/// The best validation of a run.
public struct BestResult: Equatable, Sendable {
  /// Accuracy on the validation split, 0 ... 1.
  public var accuracy: Double
  /// The mean loss on it; infinite in runs of versions that did not note it.
  public var loss: Double
  /// The step after which it was measured.
  public var step: Int

  /// A result.
  public init(accuracy: Double, loss: Double, step: Int) {
    self.accuracy = accuracy
    self.loss = loss
    self.step = step
  }

  /// Whether it takes the place of the best so far: by its accuracy; of equal ones by the lower loss, then as the later.
  public func isBetter(than best: BestResult?) -> Bool {
    guard let best else { return true }
    guard accuracy == best.accuracy else { return accuracy > best.accuracy }
    guard loss == best.loss else { return loss < best.loss }
    return step >= best.step
  }
}

/// Training figures summed up for the next line of the metrics.
public struct MetricsWindow: Equatable, Sendable {
  /// Steps in it.
  public var steps = 0
  /// Sums of the batches' losses and accuracies.
  public var loss = 0.0, accuracy = 0.0

  /// An empty window.
  public init() {}

  /// Takes in one step.
  public mutating func add(loss: Float, accuracy: Float) {
    steps += 1
    self.loss += Double(loss)
    self.accuracy += Double(accuracy)
  }
}

/// `state.json`: the progress of a run, and the sizes and checksums of the files beside it.
struct CheckpointState: Equatable {
  /// What identifies the contents of a file.
  struct Fingerprint: Equatable {
    var byteCount: Int
    var crc32: UInt32
  }

  /// The layout of a checkpoint folder; a reader refuses another.
  static let formatVersion = 1

  var progress: RunProgress
  var files: [(name: String, fingerprint: Fingerprint)]

  static func == (left: Self, right: Self) -> Bool {
    left.progress == right.progress
      && left.files.elementsEqual(right.files) { $0.name == $1.name && $0.fingerprint == $1.fingerprint }
  }

  init(progress: RunProgress, files: [(name: String, fingerprint: Fingerprint)] = []) {
    self.progress = progress
    self.files = files
  }

  // MARK: Writing

  var json: JSON {
    [
      "format": .integer(Self.formatVersion),
      "step": .integer(progress.step),
      "best_accuracy": progress.best.map { .number($0.accuracy) } ?? .null,
      "best_loss": progress.best.map { .number($0.loss) } ?? .null,
      "best_step": progress.best.map { .integer($0.step) } ?? .null,
      "seed": number("train.seed"),
      "shards": number("train.shards"),
      "lacks_validation": .bool(progress.lacksValidation),
      "data": progress.data.map { .string(hexadecimal($0, digits: 16)) } ?? .null,
      "recipe": progress.recipe?.json ?? .null,
      "kernels": .array(progress.kernels.map(JSON.string)),
      "configuration": .object(
        JSONObject(
          ConfigurationKey.all.compactMap { key in
            progress.settings[key.name].map { (key.name, .string($0)) }
          })),
      "window": [
        "steps": .integer(progress.window.steps), "loss": .number(progress.window.loss),
        "accuracy": .number(progress.window.accuracy),
      ],
      "files": .object(
        JSONObject(
          files.map { file in
            let crc32 = hexadecimal(file.fingerprint.crc32, digits: 8)
            return (file.name, ["bytes": .integer(file.fingerprint.byteCount), "crc32": .string(crc32)])
          })),
    ]
  }

  private func number(_ key: String) -> JSON {
    progress.settings[key].flatMap(Int.init).map(JSON.integer) ?? .null
  }

  private func hexadecimal(_ number: some BinaryInteger, digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: digits - text.count) + text
  }

  // MARK: Reading

  /// Reads what ``json`` wrote, also as earlier versions wrote it; `file` stands for it in messages.
  init(_ json: JSON, file: String) throws(Failure) {
    func field<Value>(_ key: String, _ value: Value?, _ expected: String) throws(Failure) -> Value {
      guard let value else { throw Failure(.badData, "\(file): \(key): expected \(expected)") }
      return value
    }
    func count(_ key: String, _ value: JSON?) throws(Failure) -> Int {
      try field(key, value?.int.flatMap { $0 >= 0 ? $0 : nil }, "a number of 0 or more")
    }
    let format = try field("format", json["format"]?.int, "a number")
    guard format == Self.formatVersion else {
      throw Failure(
        .badData, "\(file): format \(format): this program reads checkpoints of format \(Self.formatVersion)")
    }
    progress = RunProgress(step: try count("step", json["step"]), configuration: Configuration())
    progress.kernels = try field("kernels", json["kernels"]?.array, "a list of names").compactMap(\.string)
    progress.settings = [
      "train.seed": String(try count("seed", json["seed"])),
      "train.shards": String(try count("shards", json["shards"])),
    ]
    for (key, value) in json["configuration"]?.object ?? JSONObject() {
      progress.settings[key] = try field("configuration.\(key)", value.string, "a text")
    }
    if let accuracy = json["best_accuracy"]?.double, let step = json["best_step"]?.int {
      progress.best = BestResult(accuracy: accuracy, loss: json["best_loss"]?.double ?? .infinity, step: step)
    }
    progress.lacksValidation = json["lacks_validation"]?.bool ?? false
    progress.data = json["data"]?.string.flatMap { UInt64($0, radix: 16) }
    if let recipe = json["recipe"], recipe != .null {
      progress.recipe = try FeatureRecipe(text: recipe.serialized(), from: "\(file): recipe")
    }
    progress.window.steps = try count("window.steps", json["window"]?["steps"])
    progress.window.loss = try field("window.loss", json["window"]?["loss"]?.double, "a number")
    progress.window.accuracy = try field("window.accuracy", json["window"]?["accuracy"]?.double, "a number")
    files = []
    for (name, value) in try field("files", json["files"]?.object, "sizes and checksums by file name") {
      let crc32 = try field(
        "files.\(name).crc32", value["crc32"]?.string.flatMap { UInt32($0, radix: 16) },
        "8 hexadecimal digits")
      let byteCount = try count("files.\(name).bytes", value["bytes"])
      files.append((name, Fingerprint(byteCount: byteCount, crc32: crc32)))
    }
  }
}
