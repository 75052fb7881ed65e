import Diagnostics
import TensorFiles

/// The checkpoints of a run: `checkpoints/step-00002000/{model.safetensors,optimizer.safetensors,state.json}`.
///
/// A checkpoint is whole or not there: it is written under another name, flushed to disk and renamed. One that
/// a disk has damaged since is recognised by its checksums, and an older one is taken. Used by rank 0 alone.
public struct CheckpointStore: Sendable {
  private let run: String
  private let keep: Int

  private var folder: String { "\(run)/checkpoints" }
  private static let modelFile = "model.safetensors", optimizerFile = "optimizer.safetensors"

  /// - Parameters:
  ///   - run: the run directory.
  ///   - keep: how many of the latest checkpoints are kept, at least 1.
  public init(run: String, keep: Int) {
    self.run = run
    self.keep = max(1, keep)
  }

  /// Removes what a killed writer left behind.
  public func removeLeftovers() {
    for place in [run, "\(run)/best"] { FolderReplacement.removeLeftovers(in: place) }
    FolderReplacement.removeLeftovers(in: folder, prefix: "step-")
  }

  /// Removes every checkpoint; what else is in their folders stays.
  func removeAll() throws {
    removeLeftovers()
    for step in steps {
      try FileSystem.remove([Self.modelFile, Self.optimizerFile, "state.json"], of: path(step: step))
    }
    try FileSystem.remove([], of: folder)
  }

  // MARK: Checkpoints

  /// Writes a checkpoint, then removes those that are older than the last `keep`, and those beyond this step,
  /// which a resumed run has fallen back behind.
  ///
  /// - Parameter advance: called after each piece that has reached the disk.
  /// - Throws: `inputOutput` with the file and the reason; the earlier checkpoints are then untouched.
  public func save(_ checkpoint: Checkpoint, advance: () -> Void = {}) throws {
    try FileSystem.makeFolder(folder)
    let step = checkpoint.progress.step
    try FolderReplacement.write(path(step: step)) { temporary in
      try CheckpointFolder.write(
        [(Self.modelFile, checkpoint.model), (Self.optimizerFile, checkpoint.optimizer)],
        progress: checkpoint.progress, to: temporary, advance: advance)
    }
    for stale in steps.filter({ $0 > step }) + steps.filter({ $0 <= step }).dropLast(keep) {
      try FolderReplacement.remove(path(step: stale))
    }
  }

  /// The latest checkpoint that is whole, or `nil` if there is none at all.
  ///
  /// - Parameter warn: gets one line for each newer checkpoint that is damaged.
  /// - Throws: `badData` when there are checkpoints but every one is damaged.
  public func latest(warn: (String) -> Void) throws -> Checkpoint? {
    var damage: Failure?
    for step in steps.reversed() {
      do {
        let checkpoint = try read(step: step)
        if damage != nil { warn("going on from the older checkpoint \(path(step: step))") }
        return checkpoint
      } catch let failure as Failure {
        warn("the checkpoint of step \(step) cannot be used: \(failure.message)")
        damage = failure
      }
    }
    if damage != nil {
      throw Failure(.badData, "\(folder): none of the \(steps.count) checkpoints can be used")
    }
    return nil
  }

  /// How far the run is by the latest checkpoint whose `state.json` can be read; its other files are not looked at.
  public var latestProgress: RunProgress? {
    for step in steps.reversed() {
      if let state = try? CheckpointFolder.state(of: path(step: step)), state.progress.step == step {
        return state.progress
      }
    }
    return nil
  }

  /// Reads the checkpoint of one step.
  ///
  /// - Throws: `missingInput` or `badData` with the file and what is wrong with it.
  public func read(step: Int) throws -> Checkpoint {
    let folder = path(step: step)
    let state = try CheckpointFolder.state(of: folder)
    guard state.progress.step == step else {
      throw Failure(.badData, "\(folder)/state.json: step: expected \(step), found \(state.progress.step)")
    }
    return Checkpoint(
      progress: state.progress,
      model: try CheckpointFolder.tensors(Self.modelFile, of: folder, state: state),
      optimizer: try CheckpointFolder.tensors(Self.optimizerFile, of: folder, state: state))
  }

  /// The steps of which there are checkpoints, whole or damaged, ascending.
  public var steps: [Int] {
    FileSystem.names(in: folder).compactMap { name in
      name.hasPrefix("step-") ? Int(name.dropFirst(5)).flatMap { $0 >= 0 ? $0 : nil } : nil
    }.sorted()
  }

  /// The folder of a step's checkpoint.
  public func path(step: Int) -> String {
    let digits = String(step)
    return "\(folder)/step-\(String(repeating: "0", count: max(0, 8 - digits.count)))\(digits)"
  }
}

/// One folder of safetensors files and a `state.json` that vouches for them: a checkpoint, or `best`.
enum CheckpointFolder {
  /// Writes the files, flushed to disk, into a folder that is there.
  static func write(
    _ files: [(name: String, tensors: NamedTensors)], progress: RunProgress, to folder: String,
    advance: () -> Void = {}
  ) throws {
    var fingerprints: [(name: String, fingerprint: CheckpointState.Fingerprint)] = []
    for file in files {
      let bytes = Safetensors.serialize(file.tensors)
      try write(bytes, to: "\(folder)/\(file.name)", advance: advance)
      fingerprints.append((file.name, .init(byteCount: bytes.count, crc32: CRC32.checksum(bytes))))
    }
    let state = CheckpointState(progress: progress, files: fingerprints)
    try FileWriting.writeAtomically(
      Array((state.json.serialized(indent: 2) + "\n").utf8), to: "\(folder)/state.json")
  }

  /// Writes a file in pieces, each of which is on disk before the next is begun: a slow disk gets on visibly.
  private static func write(_ bytes: [UInt8], to path: String, advance: () -> Void) throws {
    try FileWriting.writeAtomically(to: path) { sink throws(Failure) in
      for start in stride(from: 0, to: bytes.count, by: pieceByteCount) {
        try sink.write(Array(bytes[start..<min(bytes.count, start + pieceByteCount)]))
        try sink.synchronize()
        advance()
      }
    }
  }

  private static let pieceByteCount = 4 << 20

  /// Reads `state.json`.
  static func state(of folder: String) throws -> CheckpointState {
    let path = "\(folder)/state.json"
    return try CheckpointState(JSON.read(path: path), file: path)
  }

  /// Reads one of the files, after its size and checksum have been found to be right.
  static func tensors(_ name: String, of folder: String, state: CheckpointState) throws -> NamedTensors {
    let path = "\(folder)/\(name)"
    guard let expected = state.files.first(where: { $0.name == name })?.fingerprint else {
      throw Failure(.badData, "\(folder)/state.json: files: there is no entry for \(name)")
    }
    let file = try InputFile(path: path)
    guard file.byteCount == expected.byteCount else {
      throw Failure(
        .badData, "\(path): expected \(expected.byteCount) bytes, found \(file.byteCount)")
    }
    let bytes = try file.read(at: 0, count: file.byteCount)
    guard CRC32.checksum(bytes) == expected.crc32 else {
      throw Failure(.badData, "\(path): the checksum is not the one in state.json: the file was damaged")
    }
    return try Safetensors.parse(bytes, name: path)
  }
}

/// The weights that validated best: `best/model.safetensors`, a copy of its own, replaced in one piece.
///
/// Step, accuracy and loss stand in the file itself, as safetensors metadata, so that weights and figures cannot come
/// apart; `best/state.json` repeats them for people and tools.
public enum BestWeights {
  /// Writes the weights of a run.
  ///
  /// - Throws: `inputOutput`; what was there before is then still there.
  public static func save(_ model: NamedTensors, _ result: BestResult, run: RunDirectory) throws {
    try FileSystem.makeFolder(folder(of: run))
    var marked = model
    marked.metadata["step"] = String(result.step)
    marked.metadata["accuracy"] = result.accuracy.description
    marked.metadata["loss"] = result.loss.description
    try Safetensors.write(marked, to: run.bestModelFile)
    let state: JSON = [
      "step": .integer(result.step), "accuracy": .number(result.accuracy), "loss": .number(result.loss),
    ]
    try FileWriting.writeAtomically(
      Array((state.serialized(indent: 2) + "\n").utf8), to: "\(folder(of: run))/state.json")
  }

  /// Reads the weights of a run, or `nil` if it was never validated.
  ///
  /// - Throws: `badData` when the file is damaged or is not one of ``save(_:_:run:)``.
  public static func load(run: RunDirectory) throws -> (model: NamedTensors, result: BestResult)? {
    guard FileSystem.exists(run.bestModelFile) else { return nil }
    let model = try Safetensors.read(path: run.bestModelFile)
    guard let step = model.metadata["step"].flatMap({ Int($0) }),
      let accuracy = model.metadata["accuracy"].flatMap({ Double($0) })
    else {
      throw Failure(.badData, "\(run.bestModelFile): expected a step and an accuracy among its metadata")
    }
    let loss = model.metadata["loss"].flatMap { Double($0) } ?? .infinity
    return (model, BestResult(accuracy: accuracy, loss: loss, step: step))
  }

  /// Removes the weights; what else is in their folder stays.
  static func remove(from run: RunDirectory) throws {
    try FileSystem.remove(["model.safetensors", "state.json"], of: folder(of: run))
  }

  private static func folder(of run: RunDirectory) -> String { "\(run.path)/best" }
}
