import Diagnostics
import Synchronization
import TensorFiles

/// `timeline.jsonl`: what happened in a run and when, all starts of it one behind the other. What it holds differs from
/// machine to machine, so that `metrics.jsonl` need not.
///
/// A run does not fail for it: what cannot be written any longer is told once (``failure``). Events may come from any
/// thread.
public final class RunTimeline: Sendable {
  /// What happened. Seconds are those that it took.
  public enum Event: Equatable, Sendable {
    /// This start of the program has taken the run directory.
    case start(isResumed: Bool, ranks: Int, totalSteps: Int)
    /// The data is read, the state restored: training begins. Seconds since the start.
    case load(seconds: Double)
    /// Training steps, without the validations between them: up to each `train` line of the metrics.
    case steps(count: Int, seconds: Double)
    /// A validation; it is incomplete when a signal came.
    case validation(seconds: Double, isComplete: Bool)
    /// Something is on disk. Seconds since its copy was made; training goes on meanwhile.
    case save(Saved, seconds: Double)
    /// The ranks have come to a stop; the job is ended.
    case stall(message: String)
    /// This start of the program ends. Seconds since the start.
    case stop(Reason, seconds: Double)
  }

  /// What is saved.
  public enum Saved: String, Sendable {
    case checkpoint, best
  }

  /// Why a start of the program ends.
  public enum Reason: Equatable, Sendable {
    /// The last step is done.
    case finished
    /// Stopped by a signal, and saved.
    case signal(message: String)
    /// Anything else.
    case failure(message: String, status: Int)

    init(_ failure: Failure) {
      self =
        failure.kind == .interrupted
        ? .signal(message: failure.message)
        : .failure(message: failure.message, status: Int(failure.kind.rawValue))
    }
  }

  private let lines: JSONLines
  /// Held from the time of a line until it is written.
  private let order = Mutex(())
  private let firstFailure = Mutex<String?>(nil)

  /// Opens the file to append to it; made if it is not there. A last line that a kill cut short is dropped.
  ///
  /// - Throws: `inputOutput`.
  public init(path: String) throws { lines = try JSONLines(path: path) }

  /// Notes what has just happened.
  ///
  /// - Parameter step: training steps done; of a `save`, those that it holds.
  public func note(_ event: Event, step: Int) {
    // A save ends on another thread: lines come in the order of their times.
    order.withLock { _ in note(event, step: step, at: WallClock.now) }
  }

  /// - Parameter time: seconds since 1970.
  package func note(_ event: Event, step: Int, at time: Double) {
    do { try lines.append(event.json(step: step, time: time)) } catch {
      firstFailure.withLock { $0 = $0 ?? Failure(describing: error).message }
    }
  }

  /// Why an event could not be written, told once.
  func takeFailure() -> String? {
    firstFailure.withLock { failure in
      guard let message = failure, !message.isEmpty else { return nil }
      failure = ""
      return message
    }
  }
}

extension RunTimeline.Event {
  /// The line as an object: `{"event", "time", "step", …}`.
  fileprivate func json(step: Int, time: Double) -> JSON {
    var object = JSONObject([
      ("event", .string(name)), ("time", .string(WallClock.utc(time))), ("step", .integer(step)),
    ])
    for (key, value) in members { object[key] = value }
    return .object(object)
  }

  private var name: String {
    switch self {
    case .start: "start"
    case .load: "load"
    case .steps: "steps"
    case .validation: "validation"
    case .save: "save"
    case .stall: "stall"
    case .stop: "stop"
    }
  }

  private var members: [(String, JSON)] {
    switch self {
    case .start(let isResumed, let ranks, let totalSteps):
      [("resumed", .bool(isResumed)), ("ranks", .integer(ranks)), ("total_steps", .integer(totalSteps))]
    case .load(let seconds): [("seconds", Self.milliseconds(seconds))]
    case .steps(let count, let seconds):
      [("steps", .integer(count)), ("seconds", Self.milliseconds(seconds))]
    case .validation(let seconds, let isComplete):
      [("complete", .bool(isComplete)), ("seconds", Self.milliseconds(seconds))]
    case .save(let saved, let seconds):
      [("saved", .string(saved.rawValue)), ("seconds", Self.milliseconds(seconds))]
    case .stall(let message): [("message", .string(message))]
    case .stop(let reason, let seconds): reason.members + [("seconds", Self.milliseconds(seconds))]
    }
  }

  private static func milliseconds(_ seconds: Double) -> JSON {
    .number((seconds * 1_000).rounded() / 1_000)
  }
}

extension RunTimeline.Reason {
  fileprivate var members: [(String, JSON)] {
    switch self {
    case .finished: [("reason", "finished")]
    case .signal(let message): [("reason", "signal"), ("message", .string(message))]
    case .failure(let message, let status):
      [("reason", "failure"), ("message", .string(message)), ("status", .integer(status))]
    }
  }
}

extension RunDirectory {
  /// One JSON object a line; see ``RunTimeline``.
  public var timelineFile: String { "\(path)/timeline.jsonl" }
}
