import Diagnostics
import Foundation
import SpeakerNet
import TensorFiles

/// Held by the one process that writes to a run; the system lets go of it however the process ends.
public final class RunLock: Sendable {
  /// Seconds that a process which is just ending is waited for.
  public static let patience = 10.0

  /// The run.
  public let directory: RunDirectory
  private let lock: FileLock
  private let folder: FileInPlace

  /// Takes the lock, or fails when another process still has it after `patience` seconds.
  init?(_ directory: RunDirectory, patience: Double) throws {
    self.directory = directory
    folder = try FileInPlace(directory.path)
    guard let lock = try FileLock(Self.file(of: directory), patience: patience) else { return nil }
    self.lock = lock
    // The lock of a folder that another has replaced meanwhile is nobody's.
    guard folder.isInPlace else { return nil }
  }

  /// Checks that the run directory is still the one that was locked.
  ///
  /// - Throws: `inputOutput` when it is gone.
  package func check() throws {
    guard !folder.isInPlace else { return }
    throw Failure(
      .inputOutput,
      "\(directory.path): the run directory was deleted, moved or replaced while the run was training:"
        + " nothing more can be saved in it")
  }

  static func file(of directory: RunDirectory) -> String { "\(directory.path)/.lock" }

  static func inUse(_ directory: RunDirectory) -> Failure {
    Failure(.usage, "\(directory.path): another process is training in this run; wait for it or stop it")
  }
}

/// What rank 0 writes to during a run. Each write makes sure that the run is still there: what goes to a file without a
/// name is lost, and a folder that is made again hides that it was deleted.
package struct RunFiles: Sendable {
  /// Held so that no other process writes to the run.
  private let lock: RunLock
  private let metrics: MetricsLog
  package let timeline: RunTimeline
  package let checkpoints: CheckpointStore
  /// What the run goes on from, until it has.
  package var checkpoint: Checkpoint?
  /// What is noted in every file of weights.
  package let origin: TrainingOrigin
  private let written: [FileInPlace]

  package var directory: RunDirectory { lock.directory }

  /// Opens the files of a run, after the console has begun to log there.
  ///
  /// What the run wrote beyond `checkpoint`, its last whole one, is dropped.
  ///
  /// - Throws: `inputOutput`.
  init(
    _ lock: RunLock, checkpoints: CheckpointStore, checkpoint: Checkpoint?, origin: TrainingOrigin,
    isLogged: Bool
  ) throws {
    self.lock = lock
    self.checkpoints = checkpoints
    self.checkpoint = checkpoint
    self.origin = origin
    let directory = lock.directory
    metrics = try MetricsLog(path: directory.metricsFile, resumingAt: checkpoint?.progress.step ?? 0)
    timeline = try RunTimeline(path: directory.timelineFile)
    written = try ([directory.metricsFile] + (isLogged ? [directory.logFile] : [])).map(FileInPlace.init)
  }

  /// The files alone: a checkpoint is large, and not to be kept for a whole run.
  var withoutCheckpoint: RunFiles {
    var files = self
    files.checkpoint = nil
    return files
  }

  /// Appends a line to the metrics.
  package func append(_ line: Metrics) throws {
    try check()
    try metrics.append(line)
  }

  /// Writes the weights that validated best.
  func saveBest(_ state: ModelState, _ result: BestResult) throws {
    var weights = state.stateDict()
    weights.metadata.merge(origin.metadata) { name, _ in name }
    try checking { try BestWeights.save(weights, result, run: directory) }
  }

  /// Writes a checkpoint, after the metrics that it counts on.
  ///
  /// - Parameter advance: called after each piece that has reached the disk.
  package func save(_ checkpoint: Checkpoint, advance: () -> Void = {}) throws {
    var checkpoint = checkpoint
    checkpoint.model.metadata.merge(origin.metadata) { name, _ in name }
    try checking {
      try metrics.synchronize()
      try checkpoints.save(checkpoint, advance: advance)
    }
  }

  /// Checks that everything that was written is where the next start of the run will look for it.
  ///
  /// - Throws: `inputOutput` that names what is gone.
  package func check() throws {
    try lock.check()
    for file in written where !file.isInPlace {
      throw Failure(
        .inputOutput,
        "\(file.path): the file was deleted, moved or replaced while the run was training: what belongs in it would be"
          + " lost")
    }
  }

  /// Writes something; when it fails because the run is gone, that is the failure.
  private func checking(_ write: () throws -> Void) throws {
    try check()
    do {
      try write()
    } catch {
      try check()
      throw error
    }
  }
}
