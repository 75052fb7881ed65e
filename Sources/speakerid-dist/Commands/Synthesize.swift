import ArgumentParser
import Training

extension SynthesizeJob.Lengths: ExpressibleByArgument {}

/// `speakerid-dist synthesize`.
struct Synthesize: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the built-in corpus: synthesized speech in the homework's layout, or as sound.",
    discussion: """
      Source-filter speech of speakers that differ in vocal tract, voice and speed, in rooms and noise. The original \
      notebook reads the folder too. With --wav the same utterances are written as sound in VoxCeleb's layout, \
      wav/id10001/VIDEO/00001.wav, those to test in test/wav with a list of trials, veri_test.txt; beside them noise, \
      music and speech in musan and rooms in RIRS_NOISES, as those data sets have them. A corpus that is there already is kept, and one that was interrupted is gone on with.
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

  @Flag(help: "Write sound, 16 kHz and 16 bits, instead of features.")
  var wav = false

  @Option(help: ArgumentHelp("Another seed gives other speakers.", valueName: "n"))
  var seed = SynthesizeJob(output: "").seed

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    var job = SynthesizeJob(output: output)
    job.speakers = speakers
    job.utterances = utterances
    job.testUtterances = testUtterances
    job.lengths = lengths
    job.wav = wav
    job.seed = seed
    job.threads = threads.count
    return .job(job, json: false)
  }
}
