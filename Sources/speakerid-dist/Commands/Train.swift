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

  @Option(
    defaultAsFlag: Resume.required,
    help: ArgumentHelp(
      "Goes on from the latest checkpoint of --run, with its configuration and data; 'auto' begins the run if there is "
        + "none.", valueName: "auto"))
  var resume: Resume?

  @Flag(help: "Removes the run that is in --run, and begins anew; nothing else in that folder is touched.")
  var overwrite = false

  @Flag(help: "Checks configuration and data, says what would be done, and writes nothing.")
  var dryRun = false

  @Flag(help: "Prints every key of the configuration with its meaning and default, as a configuration file.")
  var helpConfig = false

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    if helpConfig { return .text(Configuration.documentation.trimmingSuffix("\n")) }
    if resume != nil && run == nil { throw Self.withoutRun() }
    if resume != nil && overwrite {
      throw Failure(.usage, "--resume and --overwrite: expected one of them, found both")
    }
    var job = TrainJob()
    job.configurationFiles = configuration.files
    job.overrides = configuration.overrides
    job.data = data
    job.runDirectory = run
    job.beginning =
      switch resume {
      case .required: .resuming
      case .auto: .resumingIfThere
      case nil: overwrite ? .overwriting : .new
      }
    job.dryRun = dryRun
    job.weights = weights
    job.threads = threads.count
    return .job(job, json: false)
  }

  private static func withoutRun() -> Failure {
    let runs = RunDirectory.list()
    let known = runs.isEmpty ? "" : "; the latest here: \(runs.joined(separator: "; "))"
    return Failure(.usage, "--resume: expected --run DIR, the run to go on with\(known)")
  }
}

/// What follows `--resume`.
enum Resume: ExpressibleByArgument, CustomStringConvertible {
  /// Nothing: the run has to be there.
  case required
  /// `auto`: without a run, one begins.
  case auto

  init?(argument: String) {
    guard argument == "auto" else { return nil }
    self = .auto
  }

  /// As the help has it.
  var description: String {
    switch self {
    case .required: "the run has to be there"
    case .auto: "auto"
    }
  }
}

extension String {
  /// Without `suffix`, if it ends with it.
  func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
