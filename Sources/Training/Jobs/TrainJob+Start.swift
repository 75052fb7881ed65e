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
  package func resolveConfiguration<C: Communicator>(_ group: C, console: Console) throws -> Configuration {
    let text = try group.onRankZero { try readConfiguration(console).yaml() }
    let configuration = try Configuration.parse(yaml: try group.allGather(text: text ?? "")[0])
    try configuration.check(ranks: group.size)
    try configuration.checkBatch()
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

  /// Checks, without writing, that the run directory can be made or found.
  ///
  /// - Throws: `usage` if a run is there that is not to be resumed, `missingInput` if none is that is.
  func checkRunDirectory() throws {
    if resume {
      _ = try RunDirectory.open(runDirectory ?? "")
    } else {
      try RunDirectory.checkUnused(runDirectory)
    }
  }

  /// Makes or finds the run directory; only rank 0 gets its files.
  ///
  /// Called when everything else is known to be good, so that a mistake leaves no directory behind.
  ///
  /// - Parameter corpus: the fingerprint of the data it trains on.
  /// - Throws: `usage` if a run is there that is not to be resumed, is in use or was trained on other data;
  ///   `inputOutput` if it cannot be written to; `badData` if all its checkpoints are damaged.
  package func openRun<C: Communicator>(
    _ configuration: Configuration, corpus: UInt64, _ group: C, console: Console
  ) throws -> RunFiles? {
    try group.onRankZero { try openFiles(configuration, corpus, console) }
  }

  private func openFiles(
    _ configuration: Configuration, _ corpus: UInt64, _ console: Console
  ) throws -> RunFiles {
    let directory =
      try resume ? RunDirectory.open(runDirectory ?? "") : RunDirectory.create(at: runDirectory)
    let lock = try directory.lock()
    let checkpoints = directory.checkpoints(keep: configuration.train.keepCheckpoints)
    try console.log(to: directory.logFile)
    checkpoints.removeLeftovers()
    let checkpoint = try resume ? checkpoints.latest(warn: console.warning) : nil
    if let earlier = checkpoint?.progress.data, earlier != corpus {
      throw Failure(
        .usage,
        "\(directory.path) was trained on other speakers or utterances than those of"
          + " \(data ?? "the built-in corpus, which is used without --data"): give the data that it was started with, or"
          + " begin a new run with its weights (--weights)")
    }
    try directory.write(configuration)
    // What a run wrote beyond its last whole checkpoint is dropped.
    let metrics = try MetricsLog(path: directory.metricsFile, resumingAt: checkpoint?.progress.step ?? 0)
    return RunFiles(
      directory: directory, metrics: metrics, timeline: try RunTimeline(path: directory.timelineFile),
      checkpoints: checkpoints, lock: lock, checkpoint: checkpoint)
  }
}
