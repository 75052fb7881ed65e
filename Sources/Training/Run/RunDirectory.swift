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

  // MARK: Beginning a run

  /// Makes the folder of a new run, or takes one that holds none, and keeps it from others until the returned lock
  /// goes away.
  ///
  /// Whether a run is in it is asked again under the lock: of those that begin at the same moment, one gets it.
  ///
  /// - Parameters:
  ///   - path: where; `nil` for `runs/YYYYMMDD-HHMMSS` by the local clock, with a number behind it if that is taken.
  ///   - overwriting: whether a run that is there already is removed: its own files, and nothing else.
  /// - Throws: `usage` if a run is there already, another process is training there, or the folder holds a corpus;
  ///   `inputOutput` if it cannot be made or written to.
  public static func begin(at path: String?, overwriting: Bool = false) throws -> RunLock {
    guard let path else { return try beginUnnamed(at: Date()) }
    let run = RunDirectory(path: trimmed(path))
    // Before the lock's file is made in it.
    try run.checkVacant(overwriting: overwriting)
    try FileWriting.createFolder(run.path)
    guard access(run.path, W_OK) == 0 else {
      throw FileSystem.failure(run.path, "the run directory cannot be written to")
    }
    let lock = try run.lock(patience: overwriting ? RunLock.patience : 1)
    try run.checkVacant(overwriting: overwriting, isLocked: true)
    if overwriting { try run.clear() }
    return lock
  }

  /// Takes the first name that nobody has: who makes a folder has it.
  private static func beginUnnamed(at date: Date) throws -> RunLock {
    let name = FileSystem.localTime(time_t(date.timeIntervalSince1970), "runs/%Y%m%d-%H%M%S")
    try FileWriting.createFolder("runs")
    for number in 1... {
      let run = RunDirectory(path: number == 1 ? name : "\(name)-\(number)")
      guard mkdir(run.path, 0o777) == 0 else {
        guard errno == EEXIST else { throw FileSystem.failure(run.path, "the run directory cannot be made") }
        continue
      }
      try FileWriting.synchronizeFolder("runs")
      // Another may have been told that very name, and be in it already.
      if let lock = try RunLock(run, patience: 0), !run.holdsARun { return lock }
    }
    throw Failure(.internalError, "\(name): no name is left")
  }

  /// Checks, without writing, that a run can begin there.
  ///
  /// - Throws: as ``begin(at:overwriting:)``.
  static func checkVacant(_ path: String?, overwriting: Bool) throws {
    guard let path else { return }
    try RunDirectory(path: trimmed(path)).checkVacant(overwriting: overwriting)
  }

  private func checkVacant(overwriting: Bool, isLocked: Bool = false) throws {
    guard !path.isEmpty else {
      throw Failure(.usage, "--run: expected the name of a folder, found an empty text")
    }
    guard FileSystem.exists(path) else { return }
    guard FileSystem.isFolder(path) else {
      throw Failure(.inputOutput, "\(path): expected a folder for the run, but a file is in its place")
    }
    if let file = Self.corpusFiles.first(where: { FileSystem.exists("\(path)/\($0)") }) {
      throw Failure(.usage, "\(path): there is data in it (\(file)); a run needs a folder of its own")
    }
    guard holdsARun else { return }
    if !isLocked && isInUse { throw RunLock.inUse(self) }
    guard !overwriting else { return }
    throw Failure(
      .usage,
      "\(path): a run is there already: \(summary); go on with it by --resume, begin anew with --overwrite, or"
        + " give another --run")
  }

  /// Removes the files of a run, and nothing else.
  private func clear() throws {
    // First: what is left when this is cut short is then no run that could be gone on with.
    try FileSystem.removeFile(configurationFile)
    try checkpoints(keep: 1).removeAll()
    try BestWeights.remove(from: self)
    for name in Self.files { try FileSystem.removeFile("\(path)/\(name)") }
    try FileWriting.synchronizeFolder(path)
  }

  /// What a run writes into its folder beside `checkpoints` and `best`.
  private static let files = ["config.yaml", "run.json", "metrics.jsonl", "timeline.jsonl", "log.txt"]
  /// What a folder of data is known by, the homework's or a packed one.
  private static let corpusFiles = ["metadata.json", "mapping.json", "testdata.json", "manifest.json"]

  private var holdsARun: Bool {
    let names = Set(FileSystem.names(in: path))
    return !names.isDisjoint(with: ["config.yaml", "metrics.jsonl", "checkpoints", "best"])
  }

  // MARK: Finding a run

  /// The folder of an earlier run.
  ///
  /// - Throws: `missingInput` if there is no run.
  public static func open(_ path: String) throws -> RunDirectory {
    let run = RunDirectory(path: trimmed(path))
    guard run.isThere else {
      let what =
        !FileSystem.exists(run.path)
        ? "there is no such folder"
        : !FileSystem.isFolder(run.path) ? "it is a file" : "there is no config.yaml in it"
      throw Failure(
        .missingInput, "\(path.isEmpty ? "--run" : run.path): expected the folder of a run, but \(what)")
    }
    return run
  }

  /// The run that is there, or `nil` if one can begin there.
  static func find(_ path: String) -> RunDirectory? {
    let run = RunDirectory(path: trimmed(path))
    return run.isThere ? run : nil
  }

  /// Whether there is a run that can be gone on with.
  private var isThere: Bool { !path.isEmpty && FileSystem.exists(configurationFile) }

  /// The latest runs of a folder, each with what is there: "runs/20261124-150200 (step 400 of 1200, …)".
  package static func list(in folder: String = "runs", atMost count: Int = 3) -> [String] {
    let runs = FileSystem.names(in: folder).map { RunDirectory(path: "\(folder)/\($0)") }.filter(\.isThere)
    return runs.suffix(count).map { "\($0.path) (\($0.summary))" }
  }

  /// What is there, for a person: "step 4000 of 70000, last saved 2026-11-24 15:02".
  package var summary: String {
    guard FileSystem.exists(configurationFile) else { return "parts of one, without its config.yaml" }
    let store = checkpoints(keep: 1)
    guard let progress = store.latestProgress else {
      return "nothing saved yet, begun \(FileSystem.writingTime(of: configurationFile) ?? "some time ago")"
    }
    let total = (try? configuration()).map { " of \($0.train.totalSteps)" } ?? ""
    let time = FileSystem.writingTime(of: "\(store.path(step: progress.step))/state.json")
    return "step \(progress.step)\(total), last saved \(time ?? "some time ago")"
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
  public func lock(patience: Double = RunLock.patience) throws -> RunLock {
    guard let lock = try RunLock(self, patience: patience) else { throw RunLock.inUse(self) }
    return lock
  }

  /// Whether another process is writing to the run now.
  private var isInUse: Bool {
    guard FileSystem.exists(RunLock.file(of: self)) else { return false }
    do {
      return try RunLock(self, patience: 0) == nil
    } catch {
      // What cannot be opened is not known to be in use.
      return false
    }
  }
}
