import ArgumentParser
import Diagnostics
import Training

/// The weights and the threads of the commands that compare voices.
struct VoiceArguments: ParsableArguments {
  @OptionGroup var weights: WeightsOptions
  @OptionGroup var configuration: ConfigurationOptions
  @OptionGroup var threads: ThreadOptions

  func options() throws -> VoiceOptions {
    var options = VoiceOptions(source: try weights.source(configurationFiles: configuration.files))
    options.overrides = configuration.overrides
    options.threads = threads.count
    return options
  }
}

/// `--calibration` and `--prior`.
struct DecisionArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What 'calibrate' wrote, of trials scored with these weights: decides whether a score is enough.",
      valueName: "file"))
  var calibration: String?

  @Option(
    help: ArgumentHelp(
      "How often it is the speaker, before anything was heard: accepted is what is above ln((1 - p) / p).",
      valueName: "p"))
  var prior = 0.05

  var decision: VoiceDecision {
    var decision = VoiceDecision()
    decision.calibration = calibration
    decision.prior = prior
    return decision
  }
}

/// `speakerid-dist enroll`.
struct Enroll: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Puts a speaker's recordings into a store, for 'identify' and 'verify'.",
    discussion: """
      A speaker is the mean of their recordings' embeddings, each at length 1; more recordings may be added later. All \
      recordings are used, or none where one cannot be read. A store holds for the weights that it was made with.
      """)

  @OptionGroup var voices: VoiceArguments

  @Option(help: ArgumentHelp("The store; it is made if it is not there.", valueName: "file"))
  var store: String

  @Option(help: ArgumentHelp("What the speaker is called.", valueName: "id"))
  var speaker: String

  @Argument(help: ArgumentHelp("Recordings of the speaker: WAV, FLAC, Ogg, MP3.", valueName: "sound"))
  var sounds: [String]

  func invocation() throws -> Invocation {
    .job(
      EnrollJob(voices: try voices.options(), store: store, speaker: speaker, sounds: sounds), json: false)
  }
}

/// `speakerid-dist identify`.
struct Identify: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Which of the enrolled speakers recordings are of.",
    discussion: """
      Tells the speakers of the store whose voices are most alike, by the cosine. With --calibration also whether it is \
      anybody of them.
      """)

  @OptionGroup var voices: VoiceArguments

  @Option(help: ArgumentHelp("The store that 'enroll' made.", valueName: "file"))
  var store: String

  @Argument(help: ArgumentHelp("Recordings: WAV, FLAC, Ogg, MP3.", valueName: "sound"))
  var sounds: [String]

  @Option(help: "How many speakers are told of each recording.")
  var top = 5

  @OptionGroup var decision: DecisionArguments

  @Flag(
    help:
      "Prints one JSON object: {\"files\": [{\"path\", \"seconds\", \"speaker\", \"speakers\": [{\"name\", \"score\", \"llr\"}]}]}; speaker (null for nobody) and llr with --calibration."
  )
  var json = false

  func invocation() throws -> Invocation {
    var job = IdentifyJob(voices: try voices.options(), store: store, sounds: sounds)
    job.top = top
    job.decision = decision.decision
    job.json = json
    return .job(job, json: json)
  }
}

/// `speakerid-dist verify`.
struct Verify: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Whether a recording is of an enrolled speaker, or two are of one person.",
    discussion: """
      Without --calibration it tells the cosine and decides nothing: a threshold comes from scored trials of your own.
      """)

  @OptionGroup var voices: VoiceArguments

  @Option(help: ArgumentHelp("The store that 'enroll' made.", valueName: "file"))
  var store: String?

  @Option(help: ArgumentHelp("Who it should be, of --store.", valueName: "id"))
  var speaker: String?

  @Argument(help: ArgumentHelp("One recording with --store, else two.", valueName: "sound"))
  var sounds: [String]

  @OptionGroup var decision: DecisionArguments

  @Flag(
    help:
      "Prints one JSON object: {\"score\", \"llr\", \"threshold\", \"accepted\"}, the last three with --calibration."
  )
  var json = false

  func invocation() throws -> Invocation {
    var job = VerifyJob(voices: try voices.options(), sounds: sounds)
    switch (store, speaker) {
    case (let store?, let speaker?): job.claimed = (store, speaker)
    case (nil, nil): break
    case (_?, nil): throw Failure(.usage, "verify: --store needs the --speaker who it should be")
    case (nil, _?): throw Failure(.usage, "verify: --speaker needs the --store to look in")
    }
    job.decision = decision.decision
    job.json = json
    return .job(job, json: json)
  }
}
