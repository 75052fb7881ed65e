import Diagnostics
import TensorFiles

/// One line of `metrics.jsonl`.
public struct Metrics: Equatable, Sendable {
  /// Which utterances were measured.
  public enum Split: String, Sendable {
    case train, valid
  }

  /// The step after which it was measured.
  public var step: Int
  /// Samples drawn until then, by the number of training utterances.
  public var epoch: Double
  /// Which utterances.
  public var split: Split
  /// Mean loss.
  public var loss: Double
  /// Share of utterances recognised, 0 ... 1.
  public var accuracy: Double
  /// The learning rate of the step.
  public var learningRate: Double
  /// Training steps a second since the line before.
  public var stepsPerSecond: Double?
  /// Whatever else is worth a key.
  public var more: JSONObject

  /// A line.
  public init(
    step: Int, epoch: Double, split: Split, loss: Double, accuracy: Double, learningRate: Double,
    stepsPerSecond: Double? = nil, more: JSONObject = JSONObject()
  ) {
    self.step = step
    self.epoch = epoch
    self.split = split
    self.loss = loss
    self.accuracy = accuracy
    self.learningRate = learningRate
    self.stepsPerSecond = stepsPerSecond
    self.more = more
  }

  /// The line as an object: `{"step", "epoch", "split", "loss", "accuracy", "lr", "steps_per_s", …}`.
  public var json: JSON {
    var object = JSONObject([
      ("step", .integer(step)), ("epoch", .number(epoch)), ("split", .string(split.rawValue)),
      ("loss", .number(loss)), ("accuracy", .number(accuracy)), ("lr", .number(learningRate)),
    ])
    if let stepsPerSecond { object["steps_per_s"] = .number(stepsPerSecond) }
    for (key, value) in more { object[key] = value }
    return .object(object)
  }
}

/// `metrics.jsonl`: the figures of a run, which any machine writes alike but for `steps_per_s`.
public final class MetricsLog: Sendable {
  private let lines: JSONLines

  /// Opens the file to append to it.
  ///
  /// - Parameters:
  ///   - path: the file; made if it is not there.
  ///   - step: the step a run goes on from, 0 for a new one. Lines beyond it, and a last line that a kill cut
  ///     short, are dropped, so that in the end the file has the lines of a run that was never disturbed.
  /// - Throws: `inputOutput`.
  public init(path: String, resumingAt step: Int = 0) throws {
    lines = try JSONLines(path: path) { line in line["step"]?.int.map { $0 <= step } ?? false }
  }

  /// Appends one line.
  ///
  /// - Throws: `inputOutput`.
  public func append(_ metrics: Metrics) throws { try lines.append(metrics.json) }

  /// Flushes the lines to disk; called before a checkpoint that counts on them.
  public func synchronize() throws { try lines.synchronize() }
}
