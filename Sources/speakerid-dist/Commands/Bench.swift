import ArgumentParser
import Measurement
import Training

extension BenchJob.Subject: ExpressibleByArgument {}

/// `speakerid-dist bench`.
struct Bench: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures this program on this machine.",
    discussion: """
      step: training steps a second and where their time goes. validate: validation utterances a second. infer: whole \
      utterances predicted a second. allreduce: the ordered sum against MPI's own. data: segments read a second.
      """)

  @Argument(help: "What to measure.")
  var subject: BenchJob.Subject

  @OptionGroup var configuration: ConfigurationOptions

  @Option(
    help: ArgumentHelp("Data to measure on. Default: made-up data of the same shape.", valueName: "dir"))
  var data: String?

  @Option(help: ArgumentHelp("How long to measure. Default: 10.", valueName: "seconds"))
  var seconds: Double?

  @Option(
    help: ArgumentHelp("Writes a timeline of the measured work for chrome://tracing.", valueName: "file.json")
  )
  var trace: String?

  @Flag(help: "Prints one JSON object on standard output and nothing else there.")
  var json = false

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    var job = BenchJob(subject)
    job.configurationFile = configuration.file
    job.overrides = configuration.overrides
    job.data = data
    job.seconds = seconds
    job.trace = trace
    job.json = json
    job.threads = threads.count
    return .job(job, json: json)
  }
}
