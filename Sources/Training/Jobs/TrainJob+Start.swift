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
  package func openRun<C: Communicator>(
    _ configuration: Configuration, _ group: C, console: Console
  ) throws -> RunFiles? {
    try group.onRankZero { try openFiles(configuration, console) }
  }

  private func openFiles(_ configuration: Configuration, _ console: Console) throws -> RunFiles {
    let directory =
      try resume ? RunDirectory.open(runDirectory ?? "") : RunDirectory.create(at: runDirectory)
    let lock = try directory.lock()
    let checkpoints = directory.checkpoints(keep: configuration.train.keepCheckpoints)
    try checkpoints.removeLeftovers()
    try directory.write(configuration)
    try console.log(to: directory.logFile)
    // What a run wrote beyond its last whole checkpoint is dropped; the checkpoint itself is read later, and
    // that is when damaged ones are spoken of.
    let step = try resume ? checkpoints.latest { _ in }?.progress.step ?? 0 : 0
    let metrics = try MetricsLog(path: directory.metricsFile, resumingAt: step)
    return RunFiles(directory: directory, metrics: metrics, checkpoints: checkpoints, lock: lock)
  }
}
