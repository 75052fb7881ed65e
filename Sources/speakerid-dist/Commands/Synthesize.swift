import ArgumentParser
import Training

extension SynthesizeJob.Lengths: ExpressibleByArgument {}

/// `speakerid-dist synthesize`.
struct Synthesize: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the built-in corpus: synthesized speech in the homework's layout.",
    discussion: """
      Source-filter speech of speakers that differ in vocal tract, voice and speed, in rooms and noise. The original \
      notebook reads the folder too. A corpus that is there already is kept, and one that was interrupted is gone on with.
      """)

  @Option(
    help: ArgumentHelp(
      "Where the corpus goes: a new folder, an empty one, or one that holds this very corpus.",
      valueName: "dir"))
  var output: String

  @Option(help: ArgumentHelp("Speakers.", valueName: "n"))
  var speakers = SynthesizeJob(output: "").speakers

  @Option(help: ArgumentHelp("Labelled utterances, of all speakers together.", valueName: "n"))
  var utterances = SynthesizeJob(output: "").utterances

  @Option(
    help: ArgumentHelp("Test utterances, on top. Default: a sixth of the labelled ones.", valueName: "n"))
  var testUtterances: Int?

  @Option(help: ArgumentHelp("How long they are: 1.5 to 5 s, or as the homework's.", valueName: "kind"))
  var lengths = SynthesizeJob.Lengths.short

  @Option(help: ArgumentHelp("Another seed gives other speakers.", valueName: "n"))
  var seed = SynthesizeJob(output: "").seed

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    var job = SynthesizeJob(output: output)
    job.speakers = speakers
    job.utterances = utterances
    job.testUtterances = testUtterances
    job.lengths = lengths
    job.seed = seed
    job.threads = threads.count
    return .job(job, json: false)
  }
}
