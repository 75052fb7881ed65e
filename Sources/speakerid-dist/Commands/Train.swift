import ArgumentParser
import Diagnostics
import Training

/// `speakerid-dist train`.
struct Train: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a speaker classifier (the default command).",
    discussion: """
      Keeps its configuration, metrics, log and checkpoints in the run directory. SIGTERM, SIGUSR1, SIGHUP and Ctrl-C \
      finish the step, save a checkpoint and end with status 75; --resume goes on with the same bits, also on another \
      number of processes or threads.
      """)

  @OptionGroup var configuration: ConfigurationOptions

  @Option(
    help: ArgumentHelp(
      "The homework's directory (metadata.json, mapping.json, uttr-*.pt) or a packed one. Default: the built-in "
        + "corpus, made on first use.", valueName: "dir"))
  var data: String?

  @Option(
    help: ArgumentHelp("The run directory. Default: a new one, runs/YYYYMMDD-HHMMSS.", valueName: "dir"))
  var run: String?

  @Option(
    help: ArgumentHelp(
      "Weights to start from, .safetensors, .pt or .ckpt; with --resume, if the run has no checkpoint yet. "
        + "Default: drawn.", valueName: "file"))
  var weights: String?

  @Flag(help: "Goes on from the latest checkpoint of --run.")
  var resume = false

  @Flag(help: "Checks configuration and data, says what would be done, and writes nothing.")
  var dryRun = false

  @Flag(help: "Prints every key of the configuration with its meaning and default, as a configuration file.")
  var helpConfig = false

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    if helpConfig { return .text(Configuration.documentation.trimmingSuffix("\n")) }
    if resume && run == nil { throw Failure(.usage, "--resume: expected --run DIR, the run to go on with") }
    var job = TrainJob()
    job.configurationFile = configuration.file
    job.overrides = configuration.overrides
    job.data = data
    job.runDirectory = run
    job.resume = resume
    job.dryRun = dryRun
    job.weights = weights
    job.threads = threads.count
    return .job(job, json: false)
  }
}

extension String {
  /// Without `suffix`, if it ends with it.
  func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
