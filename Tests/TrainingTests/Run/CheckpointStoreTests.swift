import Diagnostics
import Foundation
import TensorFiles
import TestSupport
import Testing
import Training

@Suite struct CheckpointStoreTests {
  let folder = TemporaryFolder()
  var store: CheckpointStore { CheckpointStore(run: folder.path, keep: 3) }

  /// A checkpoint whose every part depends on the step.
  func checkpoint(_ step: Int) -> Checkpoint {
    let values = (0..<100).map { Float($0 * step) }
    var progress = RunProgress(
      step: step,
      best: step == 0 ? nil : BestResult(accuracy: 1 / Double(step + 2), loss: Double(step) / 3, step: step),
      configuration: Configuration(), kernels: ["SkylakeX", "Haswell"])
    progress.lacksValidation = step == 10
    progress.data = step == 0 ? nil : UInt64.max / UInt64(step)
    return Checkpoint(
      progress: progress,
      model: NamedTensors([("prenet.weight", Tensor(float32: values, shape: [10, 10]))]),
      optimizer: NamedTensors([
        ("m.prenet.weight", Tensor(float32: values.map { $0 / 3 }, shape: [10, 10])),
        ("v.prenet.weight", Tensor(float32: values.map { $0 / 7 }, shape: [10, 10])),
      ]))
  }

  func latest(_ warnings: inout [String]) throws -> Checkpoint? {
    var lines: [String] = []
    defer { warnings += lines }
    return try store.latest { lines.append($0) }
  }

  func file(_ step: Int, _ name: String) -> String { "\(store.path(step: step))/\(name)" }

  @Test("what is saved is read, to the last bit") func roundTrip() throws {
    var warnings: [String] = []
    #expect(try latest(&warnings) == nil)
    for step in [0, 10, 123_456_789] {
      try store.save(checkpoint(step))
      #expect(try store.read(step: step) == checkpoint(step))
      #expect(try latest(&warnings) == checkpoint(step))
    }
    #expect(warnings.isEmpty)
    #expect(folder.contents.contains("checkpoints/step-00000010/optimizer.safetensors"))
    #expect(folder.contents.contains("checkpoints/step-123456789/state.json"))
  }

  @Test("the last checkpoints are kept, as many as was asked") func kept() throws {
    for step in stride(from: 100, through: 1_000, by: 100) { try store.save(checkpoint(step)) }
    #expect(store.steps == [800, 900, 1_000])
    #expect(!folder.contents.contains { $0.contains("/.") })
  }

  @Test("saving a step again replaces it") func again() throws {
    try store.save(checkpoint(10))
    var changed = checkpoint(10)
    changed.progress.kernels = ["Zen"]
    try store.save(changed)
    #expect(try store.read(step: 10) == changed)
    #expect(store.steps == [10])
  }

  @Test("a run that fell back forgets what lay ahead of it") func fallenBack() throws {
    for step in [10, 20, 30] { try store.save(checkpoint(step)) }
    try store.save(checkpoint(15))
    #expect(store.steps == [10, 15])
  }

  /// Ways in which a disk or a person can damage a checkpoint, and what is said about it.
  static let damages: [(name: String, message: String, damage: @Sendable (Data) -> Data?)] = [
    ("model.safetensors", "the file was damaged", { flipped($0, at: $0.count - 5) }),
    ("optimizer.safetensors", "the file was damaged", { flipped($0, at: 9) }),
    ("model.safetensors", "bytes, found", { $0.dropLast(4) }),
    ("model.safetensors", "bytes, found 0", { _ in Data() }),
    ("optimizer.safetensors", "no such", { _ in nil }),
    ("state.json", "no such", { _ in nil }),
    ("state.json", "state.json", { $0.prefix(20) }),
    ("state.json", "format 2", { replaced($0, "\"format\": 1", "\"format\": 2") }),
    ("state.json", "step: expected 30, found 31", { replaced($0, "\"step\": 30", "\"step\": 31") }),
    ("state.json", "there is no entry for model", { replaced($0, "model.safe", "medal.safe") }),
  ]

  static func flipped(_ data: Data, at offset: Int) -> Data {
    var data = data
    data[offset] ^= 0x10
    return data
  }

  static func replaced(_ data: Data, _ old: String, _ new: String) -> Data {
    Data(String(decoding: data, as: UTF8.self).replacingOccurrences(of: old, with: new).utf8)
  }

  @Test("a damaged checkpoint is passed over, and what is wrong with it is said", arguments: damages.indices)
  func damaged(index: Int) throws {
    let (name, message, damage) = Self.damages[index]
    for step in [10, 20, 30] { try store.save(checkpoint(step)) }
    let path = file(30, name)
    let damaged = damage(try #require(FileManager.default.contents(atPath: path)))
    try FileManager.default.removeItem(atPath: path)
    try damaged?.write(to: URL(fileURLWithPath: path))

    var warnings: [String] = []
    #expect(try latest(&warnings) == checkpoint(20))
    try #require(warnings.count == 2)
    #expect(warnings[0].hasPrefix("the checkpoint of step 30 cannot be used: "))
    #expect(warnings[0].contains(message) || warnings[0].localizedCaseInsensitiveContains(message))
    #expect(warnings[1].contains("step-00000020"))
  }

  @Test("no byte of a checkpoint can change unnoticed") func anyByte() throws {
    try store.save(checkpoint(10))
    var random = SeededGenerator(seed: 5)
    for name in ["model.safetensors", "optimizer.safetensors"] {
      let path = file(10, name)
      let data = try #require(FileManager.default.contents(atPath: path))
      for _ in 0..<500 {
        var damaged = data
        damaged[Int.random(in: 0..<data.count, using: &random)] ^=
          1 << UInt8.random(in: 0..<8, using: &random)
        try damaged.write(to: URL(fileURLWithPath: path))
        #expect(throws: Failure.self) { try store.read(step: 10) }
      }
      try data.write(to: URL(fileURLWithPath: path))
    }
    #expect(try store.read(step: 10) == checkpoint(10))
  }

  @Test("when all checkpoints are damaged the run does not silently start anew") func allDamaged() throws {
    for step in [10, 20] {
      try store.save(checkpoint(step))
      try FileManager.default.removeItem(atPath: file(step, "state.json"))
    }
    var warnings: [String] = []
    #expect(throws: Failure.self) { try latest(&warnings) }
    #expect(warnings.count == 2)
  }

  @Test("what a kill left half written is never read, and cleaned away") func leftovers() throws {
    try store.save(checkpoint(10))
    try folder.write("half a file", to: "checkpoints/.step-00000020.tmp-4711/model.safetensors")
    try folder.write("half gone", to: "checkpoints/.step-00000005.gone-4711/state.json")
    try folder.write("", to: "best/.tmp-abcdef")
    var warnings: [String] = []
    #expect(try latest(&warnings) == checkpoint(10))
    store.removeLeftovers()
    #expect(!folder.contents.contains { $0.contains("/.") })
    #expect(store.steps == [10])
    #expect(warnings.isEmpty)
  }

  @Test("a checkpoint that a killed writer moved aside is put back") func aside() throws {
    try store.save(checkpoint(10))
    let aside = "\(folder.path)/checkpoints/.step-00000010.old-4711"
    try FileManager.default.moveItem(atPath: store.path(step: 10), toPath: aside)
    store.removeLeftovers()
    #expect(try store.read(step: 10) == checkpoint(10))
    // With its successor in place, the old one is a leftover like any other.
    try FileManager.default.copyItem(atPath: store.path(step: 10), toPath: aside)
    store.removeLeftovers()
    #expect(try store.read(step: 10) == checkpoint(10))
    #expect(!FileManager.default.fileExists(atPath: aside))
  }

  @Test("a checkpoint that cannot be written leaves nothing, and the others as they were") func unwritable()
    throws
  {
    try store.save(checkpoint(10))
    let unwritable = CheckpointStore(run: "/proc/self", keep: 3)
    #expect(throws: Failure.self) { try unwritable.save(checkpoint(20)) }
    #expect(store.steps == [10])
  }

  @Test("a checkpoint of a version that noted less of its run is read") func earlierVersions() throws {
    try store.save(checkpoint(10))
    let path = file(10, "state.json")
    var state = try #require(try JSON.read(path: path).object)
    for key in ["configuration", "best_loss", "lacks_validation", "data"] { state[key] = nil }
    try JSON.object(state).serialized().write(toFile: path, atomically: false, encoding: .utf8)
    let progress = try store.read(step: 10).progress
    #expect(progress.settings == ["train.seed": "87", "train.shards": "8"])
    #expect(progress.best == BestResult(accuracy: 1.0 / 12, loss: .infinity, step: 10))
    #expect(progress.window == checkpoint(10).progress.window)
    var other = Configuration()
    #expect(progress.differences(to: other).isEmpty)
    other.train.seed = 88
    other.train.batchSize = 64
    #expect(progress.differences(to: other).map(\.key.name) == ["train.seed"])
  }

  @Test("whatever state.json holds, it is read or refused in a line") func fuzzedState() throws {
    try store.save(checkpoint(10))
    let path = file(10, "state.json")
    let text = Array(try #require(FileManager.default.contents(atPath: path)))
    var random = SeededGenerator(seed: 11)
    let pieces = ["-1", "1e400", "null", "{}", "[]", "\"", "9223372036854775808", "true", ",", "\u{0}"].map {
      Array($0.utf8)
    }
    for _ in 0..<2_000 {
      var spoiled = text
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 0..<spoiled.count, using: &random)
        let end = min(spoiled.count, place + Int.random(in: 0...12, using: &random))
        spoiled.replaceSubrange(place..<end, with: pieces.randomElement(using: &random) ?? [])
      }
      try Data(spoiled).write(to: URL(fileURLWithPath: path))
      do {
        let read = try store.read(step: 10)
        #expect(read.progress.step == 10)
      } catch {
        let failure = try #require(error as? Failure)
        #expect(failure.kind == .badData && !failure.message.contains("\n"), "\(failure)")
      }
      _ = store.latestProgress
    }
  }

  // MARK: The best weights

  @Test(
    "the best is the most accurate; of equals the one of lower loss; of equals in both the later",
    arguments: [
      (BestResult(accuracy: 0.6, loss: 9, step: 20), true),
      (BestResult(accuracy: 0.4, loss: 0.1, step: 20), false),
      (BestResult(accuracy: 0.5, loss: 0.9, step: 20), true),
      (BestResult(accuracy: 0.5, loss: 1.1, step: 20), false),
      (BestResult(accuracy: 0.5, loss: 1, step: 20), true),
      (BestResult(accuracy: 0.5, loss: 1, step: 5), false),
    ])
  func ties(result: BestResult, isBetter: Bool) {
    #expect(result.isBetter(than: nil))
    #expect(result.isBetter(than: BestResult(accuracy: 0.5, loss: 1, step: 10)) == isBetter)
  }

  @Test("a best whose loss was not noted gives way to an equal one")
  func unknownLoss() {
    let earlier = BestResult(accuracy: 0.5, loss: .infinity, step: 10)
    #expect(BestResult(accuracy: 0.5, loss: 7, step: 20).isBetter(than: earlier))
  }

  @Test("the best weights are a copy of their own, with their step and accuracy") func best() throws {
    let run = try RunDirectory.begin(at: "\(folder.path)/run").directory
    #expect(try BestWeights.load(run: run) == nil)
    try BestWeights.save(checkpoint(10).model, BestResult(accuracy: 0.1, loss: 2, step: 10), run: run)
    try BestWeights.save(checkpoint(20).model, BestResult(accuracy: 1 / 3, loss: 1 / 7, step: 20), run: run)
    let best = try #require(try BestWeights.load(run: run))
    #expect(best.result == BestResult(accuracy: 1 / 3, loss: 1 / 7, step: 20))
    #expect(best.model["prenet.weight"] == checkpoint(20).model["prenet.weight"])
    let state = try JSON.read(path: "\(run.path)/best/state.json")
    #expect(state["step"]?.int == 20)
    #expect(state["accuracy"]?.double == 1.0 / 3)
    #expect(state["loss"]?.double == 1.0 / 7)
  }
}
