import ArgumentParser
import Training

/// The command line's root.
struct SpeakerIDDist: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "speakerid-dist",
    abstract: "Trains speaker classifiers on several processes, with the same bits on any number of them.",
    discussion: """
      Without a command it trains the built-in recipe on the built-in corpus. Every command runs the same alone \
      (one process, all cores) or under 'mpirun -n N'; only rank 0 talks.

      Exit status: 0 done, 64 wrong command line or configuration, 65 bad data, 66 missing input, 69 a host does \
      not answer, 70 a defect of this program, 71 memory that cannot be had, 74 reading or writing failed, 75 \
      stopped by a signal and saved, 76 a rank is missing or differs (after both, --resume goes on).
      """,
    version: programVersion,
    subcommands: [
      Train.self, Launch.self, Evaluate.self, Predict.self, Embed.self, Score.self, Calibrate.self,
      Enroll.self, Identify.self, Verify.self,
      Gradients.self,
      Pack.self, Synthesize.self, Recipes.self, Convert.self, Bench.self, Plan.self, Baseline.self,
    ],
    defaultSubcommand: Train.self)

  /// The names of the commands.
  static var commandNames: [String] {
    configuration.subcommands.map(name)
  }

  /// The command that a command line names, or the one that is meant without a name.
  static func command(_ arguments: [String]) -> any ParsableCommand.Type {
    configuration.subcommands.first { name($0) == arguments.first } ?? Train.self
  }

  private static func name(_ command: any ParsableCommand.Type) -> String {
    command.configuration.commandName ?? "\(command)".lowercased()
  }
}
