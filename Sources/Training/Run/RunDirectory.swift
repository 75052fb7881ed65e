import Diagnostics
import Foundation
import TensorFiles

/// The folder in which a run keeps its configuration, metrics, checkpoints and log. Used by rank 0 alone.
public struct RunDirectory: Equatable, Sendable {
  /// Where it is.
  public let path: String

  /// The whole resolved configuration.
  public var configurationFile: String { "\(path)/config.yaml" }
  /// One JSON object a line; see ``MetricsLog``.
  public var metricsFile: String { "\(path)/metrics.jsonl" }
  /// What the terminal showed.
  public var logFile: String { "\(path)/log.txt" }
  /// The weights that validated best.
  public var bestModelFile: String { "\(path)/best/model.safetensors" }

  /// The checkpoints in it.
  public func checkpoints(keep: Int) -> CheckpointStore { CheckpointStore(run: path, keep: keep) }

  // MARK: Making and finding

  /// Makes the folder of a new run.
  ///
  /// - Parameter path: where; `nil` for `runs/YYYYMMDD-HHMMSS` by the local clock.
  /// - Throws: `usage` if a run is there already, `inputOutput` if the folder cannot be made.
  public static func create(at path: String?) throws -> RunDirectory {
    let run = RunDirectory(path: trimmed(path ?? unusedPath(at: Date())))
    try checkUnused(run.path)
    try FileWriting.createFolder(run.path)
    guard access(run.path, W_OK) == 0 else {
      throw FileSystem.failure(run.path, "the run directory cannot be written to")
    }
    return run
  }

  /// Checks that there is no run at a path, if one is given.
  ///
  /// - Throws: `usage` if there is.
  static func checkUnused(_ path: String?) throws {
    guard let path, RunDirectory(path: trimmed(path)).holdsARun else { return }
    throw Failure(.usage, "\(path): a run is there already; go on with it by --resume, or give another --run")
  }

  /// The folder of an earlier run.
  ///
  /// - Throws: `missingInput` if there is no run.
  public static func open(_ path: String) throws -> RunDirectory {
    let run = RunDirectory(path: trimmed(path))
    guard FileSystem.exists(run.configurationFile) else {
      let what = FileSystem.isFolder(run.path) ? "there is no config.yaml in it" : "there is no such folder"
      throw Failure(.missingInput, "\(run.path): expected the folder of a run, but \(what)")
    }
    return run
  }

  /// `runs/YYYYMMDD-HHMMSS`, with a number behind it if that run is there already.
  static func unusedPath(at date: Date) -> String {
    var seconds = time_t(date.timeIntervalSince1970)
    var local = tm()
    localtime_r(&seconds, &local)
    var text = [CChar](repeating: 0, count: 32)
    strftime(&text, text.count, "runs/%Y%m%d-%H%M%S", &local)
    let name = text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    var unused = name, number = 1
    while FileSystem.exists(unused) {
      number += 1
      unused = "\(name)-\(number)"
    }
    return unused
  }

  private var holdsARun: Bool {
    let names = Set(FileSystem.names(in: path))
    return !names.isDisjoint(with: ["config.yaml", "metrics.jsonl", "checkpoints", "best"])
  }

  private static func trimmed(_ path: String) -> String {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    return path
  }

  // MARK: The configuration

  /// Writes the configuration, atomically.
  public func write(_ configuration: Configuration) throws {
    let text =
      "# The whole configuration of this run, as it was resolved at its start.\n" + configuration.yaml()
    try FileWriting.writeAtomically(Array(text.utf8), to: configurationFile)
  }

  /// The configuration the run was started with.
  public func configuration() throws -> Configuration { try Configuration.load(file: configurationFile) }

  // MARK: One at a time

  /// Makes sure that no other process writes to the run; the lock lasts as long as the returned object.
  ///
  /// - Parameter patience: seconds to wait for a process that is just ending.
  /// - Throws: `usage` if the run is in use.
  public func lock(patience: Double = 10) throws -> RunLock { try RunLock(run: path, patience: patience) }
}

/// Held by the one process that writes to a run; the system lets go of it however the process ends.
public final class RunLock {
  private let lock: FileLock

  fileprivate init(run: String, patience: Double) throws {
    guard let lock = try FileLock("\(run)/.lock", patience: patience) else {
      throw Failure(.usage, "\(run): another process is training in this run; wait for it or stop it")
    }
    self.lock = lock
  }
}
