import Collectives
import Diagnostics
import Foundation

/// What a run says and writes on its way, beside its state; what it does is ``TrainingLoop``'s matter.
///
/// One on every rank: only rank 0's has files, and a console that talks.
final class RunReport {
  private let console: Console
  private let train: TrainConfiguration
  private let files: RunFiles?
  private let timeline: RunTimeline?
  private let folder: String?
  /// When this start of the program had taken the run directory, and when it began to train.
  private let opened: Double
  private var begun: (step: Int, time: Double)
  /// Steps done.
  private var step: Int
  /// Utterances of the training split.
  private var utterances = 1
  private var line: RunLine
  /// Since the last validation, and since the last line of training figures.
  private var stretch: (step: Int, time: Double)
  private var lap: (step: Int, time: Double)
  /// Steps a second of the last stretch that has ended.
  private var average: Double?
  private var bar: ProgressBar?
  private var last: (loss: Float, accuracy: Float) = (0, 0)

  /// - Parameter files: what rank 0 writes to; just opened.
  init(_ console: Console, _ train: TrainConfiguration, _ files: RunFiles?, isResumed: Bool, ranks: Int) {
    self.console = console
    self.train = train
    self.files = files?.withoutCheckpoint
    timeline = files?.timeline
    folder = files?.directory.path
    opened = console.now
    step = files?.checkpoint?.progress.step ?? 0
    begun = (step, opened)
    line = RunLine(total: train.totalSteps, first: step)
    stretch = begun
    lap = begun
    note(.start(isResumed: isResumed, ranks: ranks, totalSteps: train.totalSteps))
  }

  /// Tells how `body`, the rest of the job, ends.
  func tellingTheEnd(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch {
      end(Failure(describing: error))
      throw error
    }
    end(nil)
  }

  /// Training begins.
  ///
  /// - Parameter utterances: how many the training split has.
  func begin(_ progress: RunProgress, utterances: Int) {
    step = progress.step
    self.utterances = max(1, utterances)
    begun = (step, console.now)
    line = RunLine(total: train.totalSteps, first: step, best: progress.best)
    note(.load(seconds: begun.time - opened))
    let blocks = Self.hasBlocks
    console.keepRunLine { [weak self] columns in self?.text(columns, blocks: blocks) ?? "" }
  }

  // MARK: Steps

  /// Shows the steps of a stretch up to a validation.
  func steps(to end: Int, _ body: () throws -> Bool) throws -> Bool {
    stretch = (step, console.now)
    lap = stretch
    return try console.progress("Train", unit: "step", total: end - step) { bar in
      self.bar = bar
      defer { self.bar = nil }
      let result = try body()
      bar.finish(values)
      _ = nextLap()
      average = rate(since: stretch)
      return result
    }
  }

  /// A step is done.
  func took(step: Int, loss: Float, accuracy: Float) {
    self.step = step
    last = (loss, accuracy)
    bar?.advance(values)
  }

  /// Writes a line of training figures.
  func write(_ window: MetricsWindow, learningRate: Double) throws {
    try files?.append(
      Metrics(
        step: step, epoch: epoch, split: .train, loss: window.loss / Double(window.steps),
        accuracy: window.accuracy / Double(window.steps), learningRate: learningRate,
        stepsPerSecond: nextLap()))
  }

  /// Samples drawn so far, by the utterances there are: one division, so that every machine has the same bits.
  private var epoch: Double { Double(step) * Double(train.batchSize) / Double(utterances) }

  private var values: [String: ProgressValue] {
    [
      "accuracy": .fixed(Double(last.accuracy), digits: 2), "loss": .fixed(Double(last.loss), digits: 2),
      "step": .count(step),
    ]
  }

  /// The rate since the last call, or since the stretch began.
  private func nextLap() -> Double? {
    defer { lap = (step, console.now) }
    guard step > lap.step else { return nil }
    note(.steps(count: step - lap.step, seconds: console.now - lap.time))
    return rate(since: lap)
  }

  private func rate(since earlier: (step: Int, time: Double)) -> Double? {
    let seconds = console.now - earlier.time
    return seconds > 0 && step > earlier.step ? Double(step - earlier.step) / seconds : nil
  }

  // MARK: Validations and saves

  /// Notes how long a validation takes.
  ///
  /// - Returns: what `body` returns; `nil` for a validation that was given up.
  func validation<Result>(_ body: () throws -> Result?) rethrows -> Result? {
    let start = console.now
    let result = try body()
    note(.validation(seconds: console.now - start, isComplete: result != nil))
    return result
  }

  /// Writes the figures of a validation.
  func write(loss: Double, accuracy: Double, learningRate: Double) throws {
    try files?.append(
      Metrics(
        step: step, epoch: epoch, split: .valid, loss: loss, accuracy: accuracy, learningRate: learningRate,
        stepsPerSecond: average))
  }

  /// Says how the whole run is.
  func tell(best: BestResult?) {
    line.best = best
    console.milestone(text(nil))
  }

  /// A write that notes when it is done.
  func timed(
    _ saved: RunTimeline.Saved, _ write: @escaping @Sendable () throws -> Void
  ) -> @Sendable () throws -> Void {
    let (timeline, step, start) = (timeline, step, Console.monotonicSeconds())
    return {
      try write()
      timeline?.note(.save(saved, seconds: Console.monotonicSeconds() - start), step: step)
    }
  }

  /// What notes a stall, from the thread that notices it.
  func stallNote(_ activity: Activity?) -> @Sendable (_ message: String) -> Void {
    let (timeline, log) = (timeline, console.logFile)
    return { message in
      _ = log?.append("error: \(message)")
      timeline?.note(.stall(message: message), step: max(0, (activity?.step ?? 0) - 1))
    }
  }

  // MARK: The end

  private func end(_ failure: Failure?) {
    console.keepRunLine(nil)
    note(.stop(failure.map(RunTimeline.Reason.init) ?? .finished, seconds: console.now - opened))
    guard failure == nil || failure?.kind == .interrupted else { return }
    console.info(summary)
    if let folder { console.info("The run is in \(folder)") }
  }

  /// `70000 steps in 28:13 (41.34 step/s); best accuracy 0.9185 at step 68000`
  private var summary: String {
    let done = step - begun.step
    let seconds = console.now - begun.time
    var text = step < train.totalSteps ? "\(step) of \(train.totalSteps) steps" : "\(step) steps"
    if done == 0 {
      text += ", all of them done before"
    } else {
      if begun.step > 0 { text += ", the last \(done)" }
      text += " in \(durationText(seconds))"
      if seconds > 0 { text += String(format: " (%.2f step/s)", Double(done) / seconds) }
    }
    guard let best = line.best else { return text }
    return text + "; best accuracy \(ProgressValue.fixed(best.accuracy, digits: 4).text) at step \(best.step)"
  }

  private func text(_ columns: Int?, blocks: Bool = false) -> String {
    line.text(step: step, elapsed: console.now - begun.time, columns: columns, blocks: blocks)
  }

  private func note(_ event: RunTimeline.Event) {
    timeline?.note(event, step: step)
    if let reason = timeline?.takeFailure() { console.warning("the timeline has a gap: \(reason)") }
  }

  /// Whether the locale of the terminal is one in which block elements can be shown.
  private static var hasBlocks: Bool {
    let environment = ProcessInfo.processInfo.environment
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
    return locale?.uppercased().replacingOccurrences(of: "-", with: "").contains("UTF8") ?? false
  }
}
