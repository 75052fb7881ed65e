import ArgumentParser
import Diagnostics
import Launcher
import Training

/// What a command line asks for.
enum Invocation {
  /// A text: help or the version.
  case text(String)
  /// A job; with `json`, standard output is kept for one JSON object.
  case job(any Job, json: Bool)
  /// A training to be started under mpirun and supervised.
  case launch(LaunchOptions)

  /// - Throws: a usage `Failure` of one line.
  static func parse(_ arguments: [String]) throws -> Invocation {
    let arguments = try Mistakes.prepared(arguments)
    try checkCommandName(arguments)
    let mistakes = Mistakes(arguments, help: SpeakerIDDist.helpMessage(for: SpeakerIDDist.command(arguments)))
    do {
      var command = try SpeakerIDDist.parseAsRoot(arguments)
      if let advice = mistakes.adviceForKeys() { throw Failure(.usage, advice) }
      if let command = command as? any JobCommand { return try command.invocation() }
      // Only `help` has no job; it throws its text.
      try command.run()
      return .text("")
    } catch let failure as Failure {
      throw failure
    } catch {
      guard SpeakerIDDist.exitCode(for: error) != .success else {
        return .text(SpeakerIDDist.fullMessage(for: error))
      }
      if let advice = mistakes.advice() { throw Failure(.usage, advice) }
      let command = arguments.first.flatMap { SpeakerIDDist.commandNames.contains($0) ? " \($0)" : nil } ?? ""
      let message = SpeakerIDDist.message(for: error).onOneLine
      let end = message.hasSuffix(".") || message.hasSuffix("?") ? "" : "."
      throw Failure(.usage, "\(message)\(end) See 'speakerid-dist\(command) --help'.")
    }
  }

  /// A word in the place of a command is one: `train` takes none, and so would only call it unexpected.
  private static func checkCommandName(_ arguments: [String]) throws {
    guard let word = arguments.first, !word.hasPrefix("-") else { return }
    let known = SpeakerIDDist.commandNames + ["help"]
    guard !known.contains(word) else { return }
    throw Failure(.usage, Mistakes.unknownCommand(word, among: known))
  }
}

/// A subcommand: flags that make a job.
protocol JobCommand: ParsableCommand {
  /// The job, or a text that its flags ask for instead.
  ///
  /// - Throws: a usage `Failure` for flags that do not go together.
  func invocation() throws -> Invocation
}
