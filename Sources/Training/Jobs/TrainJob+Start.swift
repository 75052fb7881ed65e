import Collectives
import Diagnostics

extension TrainJob {
  /// The configuration, the same on every rank: rank 0 reads it and tells the others.
  ///
  /// Without a file it is the run's own (``resume``), the built-in recipe (no ``data`` either) or the homework's
  /// defaults. What is allowed but seldom meant is said as a warning.
  ///
  /// - Throws: a `Failure` that names file, line and key; `usage` for more ranks than shards, or for a resumed
  ///   run with a key changed that decides its bits.
  public func resolveConfiguration<C: Communicator>(_ group: C, console: Console) throws -> Configuration {
    let text = try group.onRankZero { try readConfiguration(console).yaml() }
    let configuration = try Configuration.parse(yaml: try group.allGather(text: text ?? "")[0])
    try configuration.check(ranks: group.size)
    configuration.remarks.forEach(console.warning)
    return configuration
  }

  private func readConfiguration(_ console: Console) throws -> Configuration {
    guard resume, let runDirectory else {
      let isBare = configurationFile == nil && data == nil
      return try .load(
        file: configurationFile, overrides: overrides, defaults: isBare ? .builtIn : Configuration())
    }
    let started = try RunDirectory.open(runDirectory).configuration()
    let configuration = try Configuration.load(
      file: configurationFile, overrides: overrides,
      defaults: configurationFile == nil ? started : Configuration())
    try configuration.check(resuming: started)
    for change in configuration.differences(from: started) {
      console.info(
        "\(change.key.name) is \(change.now) from here on; the run was started with \(change.earlier).")
    }
    return configuration
  }

  /// Makes or finds the run directory; only rank 0 gets its files.
  ///
  /// Called when everything else is known to be good, so that a mistake leaves no directory behind.
  ///
  /// - Throws: `usage` if a run is there that is not to be resumed, or is in use; `inputOutput` if it cannot be
  ///   written to; `badData` if all its checkpoints are damaged.
  public func openRun<C: Communicator>(
    _ configuration: Configuration, _ group: C, console: Console
  ) throws -> OpenRun {
    let files = try group.onRankZero { try openFiles(configuration, console: console) }
    let step = try group.allGather(files?.checkpoint?.progress.step ?? 0)[0]
    return OpenRun(step: step, files: files)
  }

  private func openFiles(_ configuration: Configuration, console: Console) throws -> OpenRun.Files {
    let directory =
      try resume ? RunDirectory.open(runDirectory ?? "") : RunDirectory.create(at: runDirectory)
    let lock = try directory.lock()
    let store = directory.checkpoints(keep: configuration.train.keepCheckpoints)
    try store.removeLeftovers()
    try console.log(to: directory.logFile)
    let checkpoint = try resume ? store.latest(warn: console.warning) : nil
    try directory.write(configuration)
    let metrics = try MetricsLog(path: directory.metricsFile, resumingAt: checkpoint?.progress.step ?? 0)
    if resume {
      console.info("Resume \(directory.path) from step \(checkpoint?.progress.step ?? 0).")
    }
    return OpenRun.Files(
      directory: directory, checkpoints: store, metrics: metrics, checkpoint: checkpoint, lock: lock)
  }
}

/// A run that has begun or is gone on with.
public struct OpenRun {
  /// What rank 0 alone reads and writes.
  public struct Files {
    /// The run directory.
    public let directory: RunDirectory
    /// Its checkpoints.
    public let checkpoints: CheckpointStore
    /// Its `metrics.jsonl`, without lines beyond the step the run goes on from.
    public let metrics: MetricsLog
    /// Where the run goes on from; `nil` at its start.
    public let checkpoint: Checkpoint?
    /// Keeps other processes out as long as these files are in use.
    let lock: RunLock
  }

  /// Steps already done, the same on all ranks.
  public let step: Int
  /// The files, on rank 0; `nil` elsewhere.
  public let files: Files?
}
