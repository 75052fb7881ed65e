import Collectives
import DataParallel
import Diagnostics
import SpeakerNet

/// The steps of a run, and what is done between them: validation, checkpoints, comparing, stopping. What is said and
/// written on the way is ``RunReport``'s matter.
struct TrainingLoop<C: Communicator> {
  let communicator: C
  let console: Console
  let train: TrainConfiguration
  let trainer: Trainer<C>
  let slices: any SliceSource
  let validator: Validator<C>
  /// Files are written by rank 0 alone; `nil` elsewhere.
  let files: RunFiles?
  let report: RunReport
  var progress: RunProgress
  /// Whether the run begins with weights of another: they are saved first, since they may be gone when it goes on.
  let startsFromGivenWeights: Bool
  /// Writes rank 0's files while training goes on.
  private let saver = BackgroundSaver()

  init(
    _ communicator: C, console: Console, train: TrainConfiguration, trainer: Trainer<C>,
    slices: any SliceSource, validator: Validator<C>, files: RunFiles?, report: RunReport,
    progress: RunProgress, startsFromGivenWeights: Bool
  ) {
    self.communicator = communicator
    self.console = console
    self.trainer = trainer
    self.slices = slices
    self.validator = validator
    self.files = files
    self.report = report
    self.progress = progress
    self.train = train
    self.startsFromGivenWeights = startsFromGivenWeights
  }

  /// Steps between two lines of training figures in the metrics.
  private var metricsSteps: Int { max(1, min(100, train.validSteps / 10)) }

  /// Runs to the last step, or to the step at which a signal was noticed.
  ///
  /// - Throws: `interrupted`, on all ranks, after a signal, when everything is saved.
  mutating func run() throws {
    let watchdog = try Watchdog.start(
      communicator, timeout: train.stallTimeout, console: console,
      noting: report.stallNote(communicator.activity))
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
      let isStopping = try report.steps(to: end) { try runSteps(until: end) }
      // A validation that is due comes before a stop, or the run that goes on would leave it out.
      if trainer.step == end { try validate() }
      if isStopping && trainer.step < train.totalSteps { try stop() }
      if trainer.step % train.saveSteps == 0 || trainer.step == train.totalSteps { try save() }
    }
    guard progress.best == nil else { return }
    try validate()
  }

  /// Training steps up to the next validation.
  ///
  /// - Returns: whether a signal came, or a save failed: the steps end there.
  private mutating func runSteps(until end: Int) throws -> Bool {
    let source = slices
    while trainer.step < end {
      let learningRate = trainer.nextLearningRate
      let outcome = try takeStep(from: source)
      if isChecked(trainer.step) { try compareParameters() }
      progress.window.add(loss: outcome.loss, accuracy: outcome.accuracy)
      report.took(step: trainer.step, loss: outcome.loss, accuracy: outcome.accuracy)
      tellWhatIsSaved()
      if trainer.step % metricsSteps == 0 {
        _ = try communicator.onRankZero { try report.write(progress.window, learningRate: learningRate) }
        progress.window = MetricsWindow()
      }
      if outcome.isStopping { return true }
      // A long stretch between validations is saved on its way too.
      if trainer.step % train.saveSteps == 0 && trainer.step < end { try save() }
    }
    return false
  }

  /// A step; a save that failed stops the run as a signal does: all ranks learn of it with the loss.
  private func takeStep(from source: any SliceSource) throws -> StepOutcome {
    do {
      return try trainer.takeStep(from: source, isStopping: StopRequest.isMade || saver.hasFailed)
    } catch let loss as NonFiniteLoss {
      throw try notANumber("\(loss)")
    }
  }

  /// The failure of a loss that is none, and what can be done about it. Collective.
  private func notANumber(_ loss: String) throws -> Failure {
    let saved = try communicator.onRankZero {
      // One that is on its way counts, if it arrives.
      try? saver.finish()
      return files?.checkpoints.latestProgress?.step ?? -1
    }
    let step = try communicator.allGather(saved ?? -1)[0]
    let advice =
      step < 0
      ? "nothing is saved yet: begin anew with --overwrite, perhaps with a lower train.learning_rate"
      : "--resume goes on from the checkpoint of step \(step), and gets further perhaps with a lower"
        + " train.learning_rate (--set)"
    return Failure(.badData, "\(loss); \(advice)")
  }

  // MARK: Comparing

  /// Whether the ranks' parameters are compared after this step: regularly, and whenever something is to be saved.
  private func isChecked(_ step: Int) -> Bool {
    train.checksumSteps > 0
      && [train.checksumSteps, train.validSteps, train.saveSteps, train.totalSteps].contains(
        where: step.isMultiple)
  }

  private func compareParameters() throws {
    communicator.activity?.note(.checksum)
    try ParameterChecksum.compare(trainer.state, step: trainer.step, communicator)
  }

  // MARK: Validating and saving

  private mutating func validate() throws {
    communicator.activity?.note(.validation)
    progress.lacksValidation = true
    let stopped = try report.validation {
      try validator(trainer.state, console: console, unless: { StopRequest.isMade })
    }
    // The run that goes on begins with it.
    guard let result = stopped else { return try stop() }
    guard result.loss.isFinite else {
      throw try notANumber("step \(trainer.step): the loss on the validation split is not a finite number")
    }
    progress.lacksValidation = false
    let validated = BestResult(accuracy: result.accuracy, loss: result.loss, step: trainer.step)
    let isBest = validated.isBetter(than: progress.best)
    if isBest { progress.best = validated }
    _ = try communicator.onRankZero {
      try report.write(
        loss: result.loss, accuracy: result.accuracy, learningRate: trainer.nextLearningRate)
      guard isBest, let files else { return }
      let state = trainer.state.copy()
      saver.save(
        step: trainer.step,
        saying: "Step \(trainer.step), best model saved. (accuracy=\(fourDigits(result.accuracy)))",
        report.timed(.best) { try files.saveBest(state, validated) })
    }
    report.tell(best: progress.best)
  }

  private func save() throws {
    communicator.activity?.note(.checkpoint)
    guard let copy = try trainer.copy(), let files else { return }
    var progress = progress
    progress.step = trainer.step
    let activity = communicator.activity
    saver.save(
      step: trainer.step,
      report.timed(.checkpoint) { [progress] in
        let tensors = copy.tensors()
        try files.save(
          Checkpoint(progress: progress, model: tensors.model, optimizer: tensors.optimizer),
          advance: { activity?.advance() })
      })
  }

  /// Says what has been saved since the last call.
  private func tellWhatIsSaved() {
    for line in saver.takeLines() { console.line(line) }
  }

  /// Waits until everything is written.
  ///
  /// - Throws: on all ranks, why something could not be.
  private func finishSaving() throws {
    communicator.activity?.note(.checkpoint)
    _ = try communicator.onRankZero {
      defer { tellWhatIsSaved() }
      try saver.finish()
      try files?.check()
    }
  }

  /// Ends the run early: a signal has come, or a save has failed, which is then thrown.
  private func stop() throws {
    if train.checksumSteps > 0 { try compareParameters() }
    try save()
    try finishSaving()
    let signals = try communicator.allGather(text: StopRequest.name ?? "").filter { !$0.isEmpty }
    throw Failure(
      .interrupted,
      "stopped by \(signals.first ?? "a signal") after step \(trainer.step); it is saved, go on with --resume"
    )
  }
}

private func fourDigits(_ number: Double) -> String { ProgressValue.fixed(number, digits: 4).text }
