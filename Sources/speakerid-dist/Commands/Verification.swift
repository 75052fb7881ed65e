import ArgumentParser
import Diagnostics
import Training
import Verification

extension CohortStatistics.Deviation: ExpressibleByArgument {}

/// `speakerid-dist embed`.
struct Embed: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "The vectors that stand for the voices of recordings, of whomever they are.",
    discussion: """
      An embedding is what the network pools a recording's frames into. Sound becomes features as it did for the training, \
      and features made otherwise are refused. A recording of up to 3,000 frames (30 s) goes through the network whole; of \
      a longer one windows do, and its embedding is the mean of theirs, weighted by their frames. Of --data everything is \
      embedded, tests too. What cannot be read is told in a line each, and the status is then 65; the others are written. \
      The file is the same on any number of processes.
      """)

  @OptionGroup var weights: WeightsOptions
  @OptionGroup var configuration: ConfigurationOptions
  @OptionGroup var recordings: RecordingOptions

  @Option(
    help: ArgumentHelp(
      "Where the embeddings go: .safetensors ('embeddings' F32 [N, D], 'keys' in the metadata, a JSON list), .npy "
        + "with the keys in FILE.keys, or .ark with its .scp. Keys are the recordings' names in the corpus, or the "
        + "files' as given.",
      valueName: "file"))
  var output: String

  @Flag(help: "Prints one JSON object on standard output and nothing else there.")
  var json = false

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    let source = try weights.source(configurationFiles: configuration.files)
    var job = EmbedJob(source: source, input: try recordings.input(of: "embed"), output: output)
    job.overrides = configuration.overrides
    job.json = json
    job.threads = threads.count
    return .job(job, json: json)
  }
}

/// `speakerid-dist score`.
struct Score: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Whether two recordings are of one person: scores of trials, and how good they are.",
    discussion: """
      A trial's score is the cosine of its embeddings; with --cohort AS-norm of it; with --calibration a log-likelihood \
      ratio. Trials are '1|0 enrol test', 'enrol test target|nontarget' or 'enrol test 1|0'. Embeddings are those of \
      'embed': .safetensors, .npy with FILE.keys, or Kaldi's .ark and .scp. EER is taken on the straight line between \
      operating points, ties together, and on their convex hull; detection costs are normalised.
      """)

  @Option(help: ArgumentHelp("The embeddings.", valueName: "file"))
  var embeddings: String

  @Option(help: ArgumentHelp("The trials.", valueName: "file"))
  var trials: String

  @Option(
    help: ArgumentHelp(
      "Embeddings of other people, one of each as a rule, for AS-norm.", valueName: "file"))
  var cohort: String?

  @Option(help: ArgumentHelp("How many of the cohort's largest cosines count.", valueName: "n"))
  var top = 300

  @Option(
    help: ArgumentHelp(
      "How their deviation is taken: biased as WeSpeaker does, or unbiased as SpeechBrain does.",
      valueName: "kind"))
  var deviation = CohortStatistics.Deviation.biased

  @Option(
    help: ArgumentHelp(
      "Embeddings whose mean is taken off all others first: as a rule those of the training speakers.",
      valueName: "file"))
  var mean: String?

  @Option(
    help: ArgumentHelp(
      "Makes log-likelihood ratios of the scores: what 'calibrate' wrote.", valueName: "file")
  )
  var calibration: String?

  @Option(
    help: ArgumentHelp(
      "Where the scores go, 'enrol test score target|nontarget' a line; - for standard output.",
      valueName: "file"))
  var output: String?

  @Flag(help: "Prints the figures as one JSON object on standard output and nothing else there.")
  var json = false

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    var job = ScoreJob(embeddings: embeddings, trials: trials)
    job.cohort = cohort
    job.top = top
    job.deviation = deviation
    job.mean = mean
    job.calibration = calibration
    job.output = output
    job.json = json
    job.threads = threads.count
    return .job(job, json: json || output == "-")
  }
}

/// `speakerid-dist calibrate`.
struct Calibrate: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "What makes log-likelihood ratios of scores, learned from scored trials.",
    discussion: """
      Logistic regression with targets and nontargets of equal weight: scale and offset that minimise Cllr. The trials \
      should be of other people than those who are judged with it, recorded as they are, and scored in the same way.
      """)

  @Option(help: ArgumentHelp("Scored trials, as 'score --output' writes them.", valueName: "file"))
  var scores: String

  @Option(
    help: ArgumentHelp(
      "Where the calibration goes, a JSON object with scale and offset; - for standard output.",
      valueName: "file"))
  var output: String

  func invocation() throws -> Invocation {
    .job(CalibrateJob(scores: scores, output: output), json: output == "-")
  }
}
