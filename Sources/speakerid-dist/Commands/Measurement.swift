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
    job.configurationFiles = configuration.files
    job.overrides = configuration.overrides
    job.data = data
    job.seconds = seconds
    job.trace = trace
    job.json = json
    job.threads = threads.count
    return .job(job, json: json)
  }
}

/// `speakerid-dist plan`.
struct Plan: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Predicts training steps on a cluster that is not there.",
    discussion: """
      Measures slices of the batch on this machine, one alone and as many as a rank steps through, and puts them \
      together with a model of the links: step time, efficiency and memory for 1, 2, 4, … ranks. docs/scaling.md \
      explains the model and how it was checked.
      """)

  @OptionGroup var configuration: ConfigurationOptions

  @Option(help: ArgumentHelp("The most ranks.", valueName: "n"))
  var ranks: Int

  @Option(help: ArgumentHelp("Microseconds of a message from one rank to another.", valueName: "us"))
  var latency: Double

  @Option(
    help: ArgumentHelp(
      "Gigabits a second of each rank's link, in both directions at once.", valueName: "gbit"))
  var bandwidth: Double

  @Option(help: ArgumentHelp("Microseconds that a rank is busy with each message.", valueName: "us"))
  var messageOverhead = 2.0

  @Option(help: ArgumentHelp("Threads of each rank, each on a core of its own.", valueName: "n"))
  var threads = 1

  @Option(help: ArgumentHelp("Speakers of the data. Default: the homework's 600.", valueName: "n"))
  var speakers: Int?

  @Option(
    help: ArgumentHelp("All ranks share so many cores, as in a trial on one machine.", valueName: "n"))
  var sharedCores: Int?

  @Option(help: ArgumentHelp("How long to measure.", valueName: "seconds"))
  var seconds = 4.0

  @Flag(help: "Prints one JSON object on standard output and nothing else there.")
  var json = false

  func invocation() throws -> Invocation {
    var job = PlanJob(ranks: ranks, latency: latency, bandwidth: bandwidth)
    job.configurationFiles = configuration.files
    job.overrides = configuration.overrides
    job.messageOverhead = messageOverhead
    job.threads = threads
    job.speakers = speakers
    job.sharedCores = sharedCores
    job.seconds = seconds
    job.json = json
    return .job(job, json: json)
  }
}
