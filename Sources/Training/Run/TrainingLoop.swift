import Collectives
import DataParallel
import Diagnostics
import SpeakerNet

/// The steps of a run, and what is done between them: progress, metrics, validation, checkpoints, stopping.
struct TrainingLoop<C: Communicator> {
  let group: C
  let console: Console
  let trainer: Trainer<C>
  let slices: TrainingSlices
  let validator: Validator<C>
  /// Files are written by rank 0 alone; `nil` elsewhere.
  let files: RunFiles?
  var progress: RunProgress
  /// Whether the run begins with weights of another: they are saved first, since they may be gone when it goes on.
  let startsFromGivenWeights: Bool
  /// Writes rank 0's files while training goes on.
  private let saver = BackgroundSaver()
  /// Steps a second since the last validation.
  private var rate: StepRate

  init(
    group: C, console: Console, trainer: Trainer<C>, slices: TrainingSlices, validator: Validator<C>,
    files: RunFiles?, progress: RunProgress, train: TrainConfiguration, startsFromGivenWeights: Bool
  ) {
    self.group = group
    self.console = console
    self.trainer = trainer
    self.slices = slices
    self.validator = validator
    self.files = files
    self.progress = progress
    self.train = train
    self.startsFromGivenWeights = startsFromGivenWeights
    rate = StepRate(console, step: trainer.step)
  }

  private let train: TrainConfiguration
  /// Steps between two lines of training figures in the metrics.
  private var metricsSteps: Int { max(1, min(100, train.validSteps / 10)) }

  /// Runs to the last step, or to the step at which a signal was noticed.
  ///
  /// - Throws: `interrupted`, on all ranks, after a signal, when everything is saved.
  mutating func run() throws {
    let watchdog = try Watchdog.start(group, timeout: train.stallTimeout, console: console)
    defer { watchdog?.stop() }
    do {
      try runToTheEnd()
    } catch {
      // What went wrong comes first; a save that is under way is finished all the same. The ranks agree on every
      // failure but those of the communication itself, and so can wait for rank 0 together.
      if (error as? Failure)?.kind == .internalError { try? saver.finish() } else { try? finishSaving() }
      throw error
    }
    try finishSaving()
  }

  private mutating func runToTheEnd() throws {
    if startsFromGivenWeights { try save() }
    if progress.lacksValidation { try validate() }
    while trainer.step < train.totalSteps {
      let end = min(train.totalSteps, (trainer.step / train.validSteps + 1) * train.validSteps)
      let isStopping = try runSteps(until: end)
      if trainer.step == end { try validate() }
      if isStopping && trainer.step < train.totalSteps { try stop() }
      if trainer.step % train.saveSteps == 0 || trainer.step == train.totalSteps { try save() }
    }
    guard progress.best == nil else { return }
    try validate()
  }

  /// Training steps up to the next validation, with one progress line.
  ///
  /// - Returns: whether the run is to stop after that validation.
  private mutating func runSteps(until end: Int) throws -> Bool {
    try console.progress("Train", unit: "step", total: end - trainer.step) { bar in
      rate = StepRate(console, step: trainer.step)
      var last: (loss: Float, accuracy: Float) = (0, 0)
      func values() -> [String: ProgressValue] {
        [
          "accuracy": .fixed(Double(last.accuracy), digits: 2), "loss": .fixed(Double(last.loss), digits: 2),
          "step": .count(trainer.step),
        ]
      }
      let source: any SliceSource = slices
      while trainer.step < end {
        let learningRate = trainer.nextLearningRate
        let outcome = try takeStep(from: source)
        if isChecked(trainer.step) { try compareParameters() }
        last = (outcome.loss, outcome.accuracy)
        progress.window.add(loss: outcome.loss, accuracy: outcome.accuracy)
        bar.advance(values())
        if trainer.step % metricsSteps == 0 { try writeMetrics(learningRate: learningRate) }
        if outcome.isStopping && trainer.step < train.totalSteps {
          bar.finish(values())
          // A validation that is due comes first, or the run that goes on would leave it out.
          if trainer.step < end { try stop() }
          return true
        }
        // A long stretch between validations is saved on its way too.
        if trainer.step % train.saveSteps == 0 && trainer.step < end { try save() }
      }
      bar.finish(values())
      rate.end(trainer.step)
      return false
    }
  }

  /// A step; a save that failed stops the run as a signal does: all ranks learn of it with the loss.
  private func takeStep(from source: any SliceSource) throws -> StepOutcome {
    do {
      return try trainer.takeStep(from: source, isStopping: StopRequest.isMade || saver.hasFailed)
    } catch let loss as NonFiniteLoss {
      throw Failure(
        .badData,
        "\(loss); a lower train.learning_rate may help, and --resume goes on from the last checkpoint")
    }
  }

  private mutating func writeMetrics(learningRate: Double) throws {
    let window = progress.window
    let stepsPerSecond = rate.lap(trainer.step)
    progress.window = MetricsWindow()
    try group.agreeing {
      try files?.metrics.append(
        Metrics(
          step: trainer.step, split: .train, loss: window.loss / Double(window.steps),
          accuracy: window.accuracy / Double(window.steps), learningRate: learningRate,
          stepsPerSecond: stepsPerSecond))
    }
  }

  // MARK: Comparing

  /// Whether the ranks' parameters are compared after this step: regularly, and whenever something is to be saved.
  private func isChecked(_ step: Int) -> Bool {
    train.checksumSteps > 0
      && [train.checksumSteps, train.validSteps, train.saveSteps, train.totalSteps].contains(
        where: step.isMultiple)
  }

  private func compareParameters() throws {
    group.activity?.note(.checksum)
    try ParameterChecksum.compare(trainer.state, step: trainer.step, group)
  }

  // MARK: Validating and saving

  private mutating func validate() throws {
    group.activity?.note(.validation)
    progress.lacksValidation = true
    let stopped = try validator(trainer.state, console: console, unless: { StopRequest.isMade })
    // The run that goes on begins with it.
    guard let result = stopped else { return try stop() }
    progress.lacksValidation = false
    let isBest = progress.best.map { result.accuracy > $0.accuracy } ?? true
    if isBest { progress.best = BestResult(accuracy: result.accuracy, step: trainer.step) }
    try group.agreeing {
      guard let files else { return }
      try files.metrics.append(
        Metrics(
          step: trainer.step, split: .valid, loss: result.loss, accuracy: result.accuracy,
          learningRate: trainer.nextLearningRate, stepsPerSecond: rate.average))
      guard isBest, let best = progress.best else { return }
      let (state, directory) = (trainer.state.copy(), files.directory)
      saver.save(step: trainer.step) { try BestWeights.save(state.stateDict(), best, run: directory) }
    }
  }

  private func save() throws {
    if let best = progress.best {
      console.line("Step \(trainer.step), best model saved. (accuracy=\(fourDigits(best.accuracy)))")
    }
    group.activity?.note(.checkpoint)
    guard let copy = try trainer.copy(), let files else { return }
    var progress = progress
    progress.step = trainer.step
    let (metrics, checkpoints, activity) = (files.metrics, files.checkpoints, group.activity)
    saver.save(step: trainer.step) { [progress] in
      try metrics.synchronize()
      let tensors = copy.tensors()
      try checkpoints.save(
        Checkpoint(progress: progress, model: tensors.model, optimizer: tensors.optimizer),
        advance: { activity?.advance() })
    }
  }

  /// Waits until everything is written.
  ///
  /// - Throws: on all ranks, why something could not be.
  private func finishSaving() throws {
    group.activity?.note(.checkpoint)
    _ = try group.onRankZero { try saver.finish() }
  }

  /// Ends the run early: a signal has come, or a save has failed, which is then thrown.
  private func stop() throws {
    if train.checksumSteps > 0 { try compareParameters() }
    try save()
    try finishSaving()
    let signals = try group.allGather(text: StopRequest.name ?? "").filter { !$0.isEmpty }
    throw Failure(
      .interrupted,
      "stopped by \(signals.first ?? "a signal") after step \(trainer.step); it is saved, go on with --resume"
    )
  }
}

/// What rank 0 writes to during a run.
package struct RunFiles {
  package let directory: RunDirectory
  package let metrics: MetricsLog
  package let checkpoints: CheckpointStore
  /// Held so that no other process writes to the run.
  let lock: RunLock
  /// What the run goes on from, until it has.
  package var checkpoint: Checkpoint?
}

/// Steps a second of a stretch of training between two validations.
private struct StepRate {
  private let console: Console
  private let start: (step: Int, time: Double)
  private var last: (step: Int, time: Double)
  /// That of the whole stretch, when it has ended.
  private(set) var average: Double?

  init(_ console: Console, step: Int) {
    self.console = console
    start = (step, console.now)
    last = start
  }

  /// The rate since the last call, or since the start.
  mutating func lap(_ step: Int) -> Double? {
    defer { last = (step, console.now) }
    return since(last, step)
  }

  /// Ends the stretch.
  mutating func end(_ step: Int) { average = since(start, step) }

  private func since(_ earlier: (step: Int, time: Double), _ step: Int) -> Double? {
    let seconds = console.now - earlier.time
    return seconds > 0 && step > earlier.step ? Double(step - earlier.step) / seconds : nil
  }
}

private func fourDigits(_ number: Double) -> String { ProgressValue.fixed(number, digits: 4).text }
