import Diagnostics
import TensorFiles

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

  // MARK: Writing

  var json: JSON {
    [
      "format": .integer(Self.formatVersion),
      "step": .integer(progress.step),
      "best_accuracy": progress.best.map { .number($0.accuracy) } ?? .null,
      "best_step": progress.best.map { .integer($0.step) } ?? .null,
      "seed": .integer(Int(progress.seed)),
      "shards": .integer(progress.shards),
      "lacks_validation": .bool(progress.lacksValidation),
      "data": progress.data.map { .string(hexadecimal($0, digits: 16)) } ?? .null,
      "kernels": .array(progress.kernels.map(JSON.string)),
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

  private func hexadecimal(_ number: some BinaryInteger, digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: digits - text.count) + text
  }

  // MARK: Reading

  init(progress: RunProgress, files: [(name: String, fingerprint: Fingerprint)]) {
    self.progress = progress
    self.files = files
  }

  /// Reads what ``json`` wrote; `file` stands for it in messages.
  init(_ json: JSON, file: String) throws {
    func field<Value>(_ key: String, _ value: Value?, _ expected: String) throws -> Value {
      guard let value else { throw Failure(.badData, "\(file): \(key): expected \(expected)") }
      return value
    }
    let format = try field("format", json["format"]?.int, "a number")
    guard format == Self.formatVersion else {
      throw Failure(
        .badData, "\(file): format \(format): this program reads checkpoints of format \(Self.formatVersion)")
    }
    let seed = try field("seed", json["seed"]?.int.flatMap(UInt64.init(exactly:)), "a number of 0 or more")
    let kernels = try field("kernels", json["kernels"]?.array, "a list of names")
    var best: BestResult?
    if let accuracy = json["best_accuracy"]?.double, let step = json["best_step"]?.int {
      best = BestResult(accuracy: accuracy, step: step)
    }
    progress = RunProgress(
      step: try field("step", json["step"]?.int, "a number"), best: best, seed: seed,
      shards: try field("shards", json["shards"]?.int, "a number"), kernels: kernels.compactMap(\.string))
    progress.lacksValidation = json["lacks_validation"]?.bool ?? false
    progress.data = json["data"]?.string.flatMap { UInt64($0, radix: 16) }
    progress.window.steps = try field("window.steps", json["window"]?["steps"]?.int, "a number")
    progress.window.loss = try field("window.loss", json["window"]?["loss"]?.double, "a number")
    progress.window.accuracy = try field("window.accuracy", json["window"]?["accuracy"]?.double, "a number")
    files = try field("files", json["files"]?.object, "sizes and checksums by file name").map { name, value in
      let byteCount = try field("files.\(name).bytes", value["bytes"]?.int, "a number")
      let crc32 = try field(
        "files.\(name).crc32", value["crc32"]?.string.flatMap { UInt32($0, radix: 16) },
        "8 hexadecimal digits")
      return (name, Fingerprint(byteCount: byteCount, crc32: crc32))
    }
  }
}
