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

  /// - Parameters:
  ///   - run: the run directory.
  ///   - keep: how many of the latest checkpoints are kept, at least 1.
  public init(run: String, keep: Int) {
    self.run = run
    self.keep = max(1, keep)
  }

  /// Removes what a killed writer left behind.
  public func removeLeftovers() {
    for place in [run, "\(run)/best", folder] { FolderReplacement.removeLeftovers(in: place) }
  }

  // MARK: Checkpoints

  /// Writes a checkpoint, then removes those that are older than the last `keep`, and those beyond this step,
  /// which a resumed run has fallen back behind.
  ///
  /// - Parameter advance: called after each piece that has reached the disk.
  /// - Throws: `inputOutput` with the file and the reason; the earlier checkpoints are then untouched.
  public func save(_ checkpoint: Checkpoint, advance: () -> Void = {}) throws {
    try FileWriting.createFolder(folder)
    let step = checkpoint.progress.step
    try FolderReplacement.write(path(step: step)) { temporary in
      try CheckpointFolder.write(
        [("model.safetensors", checkpoint.model), ("optimizer.safetensors", checkpoint.optimizer)],
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
      model: try CheckpointFolder.tensors("model.safetensors", of: folder, state: state),
      optimizer: try CheckpointFolder.tensors("optimizer.safetensors", of: folder, state: state))
  }

  /// The steps of which there are checkpoints, whole or damaged, ascending.
  public var steps: [Int] {
    FileSystem.names(in: folder).compactMap { name in
      name.hasPrefix("step-") ? Int(name.dropFirst(5)) : nil
    }.sorted()
  }

  /// The folder of a step's checkpoint.
  public func path(step: Int) -> String {
    let digits = String(step)
    return "\(folder)/step-\(String(repeating: "0", count: max(0, 8 - digits.count)))\(digits)"
  }
}
