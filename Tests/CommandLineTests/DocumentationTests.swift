import Foundation
import TestSupport
import Testing

/// docs/command-line.md is what the program says about itself.
@Suite struct DocumentationTests {
  static let file = "\(Program.repository)/docs/command-line.md"

  /// After a change of a help text: `UPDATE_DOCUMENTATION=1 swift test -c release --filter DocumentationTests`,
  /// and a look at the difference.
  @Test("docs/command-line.md is what the program says of itself") func helpTexts() throws {
    let text = try document()
    if ProcessInfo.processInfo.environment["UPDATE_DOCUMENTATION"] != nil {
      try text.write(toFile: Self.file, atomically: true, encoding: .utf8)
    }
    let written = try String(contentsOfFile: Self.file, encoding: .utf8)
    #expect(written == text, "docs/command-line.md is not what the program says")
  }

  private func document() throws -> String {
    var text = """
      # The command line

      Printed by the program; a test holds this page to it.

      """
    let commands = [
      "", "train", "launch", "evaluate", "predict", "embed", "score", "calibrate", "enroll", "identify",
      "verify", "gradients", "pack",
      "synthesize",
      "recipes", "convert",
      "bench",
      "plan", "baseline",
    ]
    for command in commands {
      text += "\n## \(command.isEmpty ? "speakerid-dist" : command)\n\n"
      text += try block("", Program.run(command.isEmpty ? ["--help"] : [command, "--help"]))
    }
    text += "\n## Configuration\n\n"
    text += try block("yaml", Program.run(["train", "--help-config"]))
    return text
  }

  private func block(_ language: String, _ outcome: Program.Outcome) throws -> String {
    try #require(outcome.status == 0)
    let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: false)
      .map { line in String(line.reversed().drop { $0 == " " }.reversed()) }
    return "```\(language)\n" + lines.joined(separator: "\n").trimmingCharacters(in: .newlines) + "\n```\n"
  }
}
