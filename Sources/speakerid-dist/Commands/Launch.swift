import ArgumentParser
import Diagnostics
import Launcher

/// `speakerid-dist launch`.
struct Launch: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains under mpirun, and sees to it that the training is finished.",
    usage: "speakerid-dist launch -n <n> [<options>] -- train --run <dir> ...",
    discussion: """
      When a training fails, it is started again from its last checkpoint, on the hosts that answer and, where they have \
      too few slots, with fewer processes: its weights are the same bits all the same. SIGTERM, SIGUSR1, SIGHUP and \
      Ctrl-C let the processes finish the step and save.

      Ends with the status of the training: 0 done; 64, 65, 66 a wrong command line, bad data, missing input (never started \
      again); 75 stopped by a signal; 76 a rank was missing or differed to the last restart; 69 too few hosts answer; \
      others as the program or mpirun gave them. After 75 and 76 the same command with --resume goes on.

      PROGRAM and MPIRUN name other programs than this one and mpirun. Open MPI's parameters are set for several hosts \
      where the environment (OMPI_MCA_name) and ~/.openmpi/mca-params.conf do not set them; --dry-run shows them.
      """)

  @Option(
    name: [.customShort("n"), .customLong("np", withSingleDash: true)],
    help: ArgumentHelp("Processes to start.", valueName: "n"))
  var ranks: Int

  @Option(
    help: ArgumentHelp(
      "Open MPI's hostfile, a line for each host: NAME slots=N. Default: this host, or the allocation of the scheduler.",
      valueName: "file"))
  var hostfile: String?

  @Option(
    help: ArgumentHelp(
      "The network that MPI may use, as names or addresses: eth0 or 10.1.0.0/16.", valueName: "list"))
  var interfaces: String?

  @Option(help: ArgumentHelp("How often a failed training is started again; 0 never.", valueName: "r"))
  var maxRestarts = 3

  @Flag(
    name: .customLong("continue"),
    help: "Goes on with the run if --run holds one already, else begins it: what a scheduler may repeat.")
  var continues = false

  @Option(
    help: ArgumentHelp("How long processes that were asked to stop may take to save.", valueName: "seconds"))
  var grace = 25

  @Flag(help: "Says what would be run, and runs nothing.")
  var dryRun = false

  @Argument(
    parsing: .captureForPassthrough,
    help: ArgumentHelp("Behind --: train and its options.", valueName: "train"))
  var words: [String] = []

  func invocation() throws -> Invocation {
    if let word = words.first, word != "--" {
      throw Failure(
        .usage,
        word.hasPrefix("-")
          ? "launch: unknown option '\(word)'. See 'speakerid-dist launch --help'."
          : "launch: expected -- before '\(word)', as in: launch -n \(ranks) -- train --data DIR --run DIR")
    }
    return .launch(
      try LaunchOptions(
        ranks: ranks, hostfile: hostfile, interfaces: interfaces, maxRestarts: maxRestarts,
        continues: continues,
        grace: grace, dryRun: dryRun, arguments: Array(words.dropFirst())))
  }
}
