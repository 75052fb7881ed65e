import Collectives

/// The version of the program, as `--version` and every run's `run.json` say it.
public let programVersion = "0.1.0"

/// The work of one subcommand: its options, and what is done with them.
///
/// A job is a plain value that knows neither flags nor terminals nor MPI, so tests run it as the command line
/// does, over any group.
public protocol Job: Sendable {
  /// Does the work; every rank of the group calls it with equal options.
  ///
  /// - Parameter console: talks on rank 0 alone.
  /// - Throws: a `Failure`, the same on all ranks.
  func run<C: Communicator>(_ group: C, console: Console) throws
}
