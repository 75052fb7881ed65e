import Collectives
import Diagnostics
import Foundation
import TensorFiles

/// What a training begins with, the same on every rank.
package struct ResolvedStart: Equatable, Sendable {
  /// The configuration.
  package var configuration: Configuration
  /// Whether it goes on with a run that is there.
  package var resumes: Bool
  /// The folder of the data; `nil` for the built-in corpus.
  package var data: String?
  /// What is to be said of a run that has nothing left to do.
  package var finished: String?

  /// A beginning of these parts.
  package init(
    configuration: Configuration, resumes: Bool = false, data: String? = nil, finished: String? = nil
  ) {
    self.configuration = configuration
    self.resumes = resumes
    self.data = data
    self.finished = finished
  }
}

extension TrainJob {
  /// Finds out what the training begins with: rank 0 looks and reads, and tells the others.
  ///
  /// Without a file the configuration is the run's own when it is gone on with, the built-in recipe (no ``data``
  /// either) or the homework's defaults. What is allowed but seldom meant is said as a warning. Nothing is written.
  ///
  /// - Throws: a `Failure` that names file, line and key; `usage` for more ranks than shards, for a run that is not to
  ///   be there, or for a resumed one with a key changed that decides what it is; `missingInput` if none is there.
  package func resolveStart<C: Communicator>(_ communicator: C, console: Console) throws -> ResolvedStart {
    let found = try communicator.onRankZero { try findStart(console) }
    let start = try communicator.sharedFromRankZero(
      found,
      as: { start in
        [
          "configuration": .string(start.configuration.yaml()), "resumes": .bool(start.resumes),
          "data": start.data.map(JSON.string) ?? .null, "finished": start.finished.map(JSON.string) ?? .null,
        ]
      },
      { json in
        ResolvedStart(
          configuration: try .parse(yaml: json["configuration"]?.string ?? ""),
          resumes: json["resumes"]?.bool ?? false, data: json["data"]?.string,
          finished: json["finished"]?.string)
      })
    guard let start else {
      throw Failure(.internalError, "rank 0 does not say what the training begins with")
    }
    try start.configuration.check(ranks: communicator.size)
    try start.configuration.checkBatch()
    if start.finished == nil { start.configuration.remarks.forEach(console.warning) }
    return start
  }

  private func findStart(_ console: Console) throws -> ResolvedStart {
    guard let run = try runToGoOnWith() else {
      try RunDirectory.checkVacant(runDirectory, overwriting: beginning == .overwriting)
      let isBare = configurationFiles.isEmpty && data == nil
      let configuration = try Configuration.load(
        files: configurationFiles, overrides: overrides, defaults: isBare ? .builtIn : Configuration())
      return ResolvedStart(configuration: configuration, resumes: false, data: data)
    }
    let noted = try run.configuration()
    let configuration = try Configuration.load(
      files: configurationFiles, overrides: overrides,
      defaults: configurationFiles.isEmpty ? noted : Configuration())
    let checkpoints = run.checkpoints(keep: configuration.train.keepCheckpoints)
    let progress = checkpoints.latestProgress
    // What no checkpoint says is as the run's configuration has it.
    var trained = RunProgress(step: 0, configuration: noted)
    trained.settings.merge(progress?.settings ?? [:]) { $1 }
    try check(configuration, noted, trained, of: run, console)
    var start = ResolvedStart(
      configuration: configuration, resumes: true, data: try data ?? rememberedData(of: run, console))
    if let progress { start.finished = try end(of: run, progress, configuration, checkpoints) }
    return start
  }

  private func runToGoOnWith() throws -> RunDirectory? {
    switch beginning {
    case .new, .overwriting: nil
    case .resuming: try RunDirectory.open(runDirectory ?? "")
    case .resumingIfThere: runDirectory.flatMap(RunDirectory.find)
    }
  }

  /// Checks that the run can go on with a configuration, and says what is another from here on.
  ///
  /// - Throws: `usage` for a key that decides what the weights are or which random numbers are drawn, wherever it was
  ///   changed: on the command line, or by hand in the run's own file.
  private func check(
    _ configuration: Configuration, _ noted: Configuration, _ trained: RunProgress, of run: RunDirectory,
    _ console: Console
  ) throws {
    let changes = trained.differences(to: configuration)
    if let (key, trained, now) = changes.first(where: { $0.key.onResume == .fixed }) {
      let isByHand = configurationFiles.isEmpty && key.value(in: noted) ?? "null" == now
      throw Failure(
        .usage,
        isByHand
          ? "\(run.configurationFile): \(key.name): found \(now), but the run was trained with \(trained) (its"
            + " state.json says so); put \(trained) back, or begin another --run"
          : "\(key.name): the run was started with \(trained) and cannot be resumed with \(now); keep \(trained) or"
            + " start another --run")
    }
    for change in changes {
      console.info("\(change.key.name) is \(change.now) from here on; until now it was \(change.trained).")
    }
  }

  /// What is said of a run that has nothing left to do; `nil` when it has.
  private func end(
    of run: RunDirectory, _ progress: RunProgress, _ configuration: Configuration,
    _ checkpoints: CheckpointStore
  ) throws -> String? {
    let total = configuration.train.totalSteps
    guard progress.step <= total else {
      throw Failure(
        .usage,
        "train.total_steps: the run has done \(progress.step) steps already, and cannot end after \(total); give"
          + " \(progress.step) or more")
    }
    guard progress.step == total, let best = progress.best, !progress.lacksValidation else { return nil }
    // One that is damaged is not the end: an older one is gone on from.
    guard try checkpoints.latest(warn: { _ in })?.progress.step == total else { return nil }
    let passedOver = weights.map { " (\($0) is passed over)" } ?? ""
    return "The run is finished\(passedOver): \(total) of \(total) steps, best accuracy "
      + "\(String(format: "%.4f", best.accuracy)) at step \(best.step). 'evaluate --run \(run.path)' and 'predict --run"
      + " \(run.path)' use its best weights; --resume --set train.total_steps=N, with N above \(total), trains on"
  }

  /// The data that a run was begun with, as its run.json says; `nil` for the built-in corpus.
  private func rememberedData(of run: RunDirectory, _ console: Console) throws -> String? {
    guard let data = try RunStart.read(run)?.data, !data.isBuiltIn else { return nil }
    let path = data.path
    guard FileSystem.exists(path) else {
      throw Failure(
        .missingInput,
        "\(path): the data that the run was begun with is not there; --data says where it is now")
    }
    console.info("The data is the run's own: \(path)")
    return path
  }

  // MARK: The run directory

  /// Makes or finds the run directory; only rank 0 gets its files. Collective.
  ///
  /// Called when everything else is known to be good, so that a mistake leaves no directory behind.
  ///
  /// - Parameters:
  ///   - corpus: the fingerprint of the data it trains on.
  ///   - origin: what is noted of that data in files of weights.
  /// - Throws: `usage` if a run is there that is not to be resumed, is in use or was trained on other data;
  ///   `inputOutput` if it cannot be written to; `badData` if all its checkpoints are damaged.
  package func openRun<C: Communicator>(
    _ start: ResolvedStart, corpus: UInt64, origin: TrainingOrigin = TrainingOrigin(), _ communicator: C,
    console: Console
  ) throws -> RunFiles? {
    try communicator.onRankZero { try openFiles(start, corpus, origin, console) }
  }

  private func openFiles(
    _ start: ResolvedStart, _ corpus: UInt64, _ origin: TrainingOrigin, _ console: Console
  ) throws -> RunFiles {
    let lock =
      try start.resumes
      ? RunDirectory.open(runDirectory ?? "").lock()
      : RunDirectory.begin(at: runDirectory, overwriting: beginning == .overwriting)
    let directory = lock.directory
    let checkpoints = directory.checkpoints(keep: start.configuration.train.keepCheckpoints)
    // With its configuration, a new folder is a run.
    if !start.resumes { try directory.write(start.configuration) }
    try console.log(to: directory.logFile)
    checkpoints.removeLeftovers()
    let checkpoint = try start.resumes ? checkpoints.latest(warn: console.warning) : nil
    if let checkpoint {
      try TrainingOrigin(recipe: checkpoint.progress.recipe).check(
        origin.recipe, of: start.data ?? "the built-in corpus", trained: directory.path, .usage,
        warn: console.warning)
    }
    if let earlier = checkpoint?.progress.data, earlier != corpus {
      throw Failure(
        .usage,
        "\(directory.path) was trained on other speakers or utterances than those of"
          + " \(start.data ?? "the built-in corpus, which is used without --data"): give the data that it was started"
          + " with, or begin a new run with its weights (--weights)")
    }
    if start.resumes { try directory.write(start.configuration) }
    return try RunFiles(
      lock, checkpoints: checkpoints, checkpoint: checkpoint, origin: origin, isLogged: console.talks)
  }
}
