import Diagnostics
import Foundation
import TensorFiles

/// One line of `metrics.jsonl`.
public struct Metrics: Equatable, Sendable {
  /// Which utterances were measured.
  public enum Split: String, Sendable {
    case train, valid
  }

  /// The step after which it was measured.
  public var step: Int
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
    step: Int, split: Split, loss: Double, accuracy: Double, learningRate: Double,
    stepsPerSecond: Double? = nil, more: JSONObject = JSONObject()
  ) {
    self.step = step
    self.split = split
    self.loss = loss
    self.accuracy = accuracy
    self.learningRate = learningRate
    self.stepsPerSecond = stepsPerSecond
    self.more = more
  }

  /// The line as an object: `{"step", "split", "loss", "accuracy", "lr", "steps_per_s", …}`.
  public var json: JSON {
    var object: JSONObject = JSONObject([
      ("step", .integer(step)), ("split", .string(split.rawValue)), ("loss", .number(loss)),
      ("accuracy", .number(accuracy)), ("lr", .number(learningRate)),
    ])
    if let stepsPerSecond { object["steps_per_s"] = .number(stepsPerSecond) }
    for (key, value) in more { object[key] = value }
    return .object(object)
  }
}

/// `metrics.jsonl`: one JSON object a line, in the file as soon as it is appended. Used by rank 0 alone.
public final class MetricsLog: Sendable {
  private let path: String
  private let descriptor: Int32

  /// Opens the file to append to it.
  ///
  /// - Parameters:
  ///   - path: the file; made if it is not there.
  ///   - step: the step a run goes on from, 0 for a new one. Lines beyond it, and a last line that a kill cut
  ///     short, are dropped, so that in the end the file has the lines of a run that was never disturbed.
  /// - Throws: `inputOutput`.
  public init(path: String, resumingAt step: Int = 0) throws {
    self.path = path
    if FileSystem.exists(path) { try Self.drop(linesBeyond: step, in: path) }
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileSystem.failure(path, "cannot be opened") }
  }

  deinit { close(descriptor) }

  /// Appends one line.
  ///
  /// - Throws: `inputOutput`.
  public func append(_ metrics: Metrics) throws {
    var rest = Array((metrics.json.serialized() + "\n").utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw FileSystem.failure(path, "writing failed") }
      rest = rest.dropFirst(count)
    }
  }

  /// Flushes the lines to disk; called before a checkpoint that counts on them.
  public func synchronize() throws {
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw FileSystem.failure(path, "flushing to disk failed")
    }
  }

  private static func drop(linesBeyond step: Int, in path: String) throws {
    let file = try InputFile(path: path)
    let bytes = try file.read(at: 0, count: file.byteCount)
    let kept = bytes.split(separator: UInt8(ascii: "\n")).filter { line in
      guard let lineStep = try? JSON.parse(Array(line), name: path)["step"]?.int else { return false }
      return lineStep <= step
    }
    let text = kept.flatMap { Array($0) + [UInt8(ascii: "\n")] }
    if text != bytes { try FileWriting.writeAtomically(text, to: path) }
  }
}
