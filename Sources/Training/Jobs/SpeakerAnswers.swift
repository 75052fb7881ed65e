import Diagnostics
import Foundation
import TensorFiles

/// Whose voices recordings have, as `predict` writes it.
struct SpeakerAnswers {
  private struct Answer {
    var recording: String
    var seconds: Double
    var likeliest: [Likelihood]
  }

  /// The speakers' names by label.
  private let names: [String]
  private var answers: [Answer] = []

  /// How many recordings there are.
  var count: Int { answers.count }

  init(names: [String]) { self.names = names }

  mutating func add(_ recording: String, seconds: Double, _ likeliest: [Likelihood]) {
    answers.append(Answer(recording: recording, seconds: seconds, likeliest: likeliest))
  }

  /// `{"files": [{"path", "seconds", "speakers": [{"name", "probability"}]}]}`, on one line.
  var json: String {
    let files = answers.map { answer -> JSON in
      [
        "path": .string(answer.recording), "seconds": .number(answer.seconds),
        "speakers": .array(
          answer.likeliest.map { likelihood -> JSON in
            ["name": .string(names[likelihood.speaker]), "probability": .number(likelihood.probability)]
          }),
      ]
    }
    let object: JSON = ["files": .array(files)]
    return object.serialized()
  }

  /// For a person: a line for each recording, and below it one for each speaker.
  var table: String {
    answers.map { answer in
      String(format: "%@ (%.1f s)\n", answer.recording.printable, answer.seconds)
        + answer.likeliest.map { likelihood in
          String(format: "  %5.1f %%  ", 100 * likelihood.probability) + names[likelihood.speaker].printable
            + "\n"
        }.joined()
    }.joined()
  }

  /// The homework's submission: `Id,Category` and a row for each recording, lines ended as Python's csv ends them.
  var submission: String {
    answers.reduce(into: "Id,Category\r\n") { text, answer in
      let speaker = answer.likeliest.first.map { names[$0.speaker] } ?? ""
      text += "\(Self.csvField(answer.recording)),\(Self.csvField(speaker))\r\n"
    }
  }

  /// Quoted where Python's csv quotes: RFC 4180.
  private static func csvField(_ text: String) -> String {
    guard text.utf8.contains(where: { ",\"\r\n".utf8.contains($0) }) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
  }
}
