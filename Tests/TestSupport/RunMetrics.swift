import Foundation
import TensorFiles

/// The lines of a run's `metrics.jsonl`.
package struct RunMetrics: Equatable {
  /// Every line without how fast it was, which is no two times the same.
  package var lines: [JSON] = []

  package init() {}

  /// - Parameter run: the run directory.
  package init(run: String) throws {
    let text = try String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8)
    lines = try text.split(separator: "\n").map { line in
      var object = try JSON.parse(Array(line.utf8), name: "metrics.jsonl").object ?? JSONObject()
      object["steps_per_s"] = nil
      return .object(object)
    }
  }

  /// The lines about training or about validations.
  package func lines(of split: String) -> [JSON] { lines.filter { $0["split"]?.string == split } }

  /// The step of the last whole line so far; 0 before there is one.
  package static func lastStep(run: String) -> Int {
    guard let text = try? String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8),
      let end = text.lastIndex(of: "\n"), let line = text[..<end].split(separator: "\n").last,
      let json = try? JSON.parse(Array(line.utf8), name: "metrics.jsonl")
    else { return 0 }
    return json["step"]?.int ?? 0
  }
}
