import ArgumentParser
import Diagnostics
import Training

/// `--run`, or `--weights` with `--config`.
struct WeightsOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A run: its best weights and its configuration.", valueName: "dir"))
  var run: String?

  @Option(
    help: ArgumentHelp("The weights of that checkpoint of --run in place of the best.", valueName: "step-n"))
  var checkpoint: String?

  @Option(help: ArgumentHelp("Weights, .safetensors, .pt or .ckpt; needs --config.", valueName: "file"))
  var weights: String?

  func source(configurationFiles: [String]) throws -> WeightsSource {
    if let checkpoint, run == nil {
      throw Failure(.usage, "--checkpoint \(checkpoint): expected the --run that it is a checkpoint of")
    }
    switch (run, weights, configurationFiles.isEmpty ? nil : configurationFiles) {
    case (let run?, nil, nil): return .run(run, checkpoint: checkpoint)
    case (nil, let weights?, let files?): return .file(weights: weights, configurations: files)
    case (nil, nil, _): throw Failure(.usage, "expected --run DIR, or --weights FILE with --config FILE")
    case (_?, _?, _): throw Failure(.usage, "--run and --weights: expected one of them, found both")
    case (nil, _?, nil): throw Failure(.usage, "--weights: expected the network's --config FILE with it")
    case (_?, nil, _?): throw Failure(.usage, "--config: a --run brings its own; use --set to change a key")
    }
  }
}

/// `speakerid-dist evaluate`.
struct Evaluate: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Accuracy and loss on the validation split.",
    discussion: """
      The split is the notebook's: 90 to 10, by train.seed. Segments have train.segment_length frames at places \
      fixed by the seed, so that the figure is the same each time.
      """)

  @OptionGroup var weights: WeightsOptions
  @OptionGroup var configuration: ConfigurationOptions
  @OptionGroup var data: DataOptions

  @Flag(help: "Judges whole utterances instead of segments.")
  var whole = false

  @Flag(help: "Prints one JSON object on standard output and nothing else there.")
  var json = false

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    let source = try weights.source(configurationFiles: configuration.files)
    var job = EvaluateJob(source: source, data: data.directory)
    job.overrides = configuration.overrides
    job.whole = whole
    job.json = json
    job.threads = threads.count
    return .job(job, json: json)
  }
}

/// `speakerid-dist predict`.
struct Predict: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Whose voice it is: in sound files, or in every utterance of a corpus.",
    discussion: """
      Of sound files it tells the likeliest speakers of each, with their probabilities. Of --data it writes Id,Category \
      rows with CRLF line ends: for the homework's folder and packed ones the submission, in the order of testdata.json; \
      for sound in any layout every recording, or those that the layout calls a test.

      Sound becomes features as it did for the training. A recording of up to 3,000 frames (30 s) goes through the \
      network whole; of a longer one windows of 3,000 do, and its probabilities are the mean of theirs, weighted by \
      their frames. What cannot be read is told in a line each, and the status is then 65; the others are answered.
      """)

  @OptionGroup var weights: WeightsOptions
  @OptionGroup var configuration: ConfigurationOptions

  @OptionGroup var recordings: RecordingOptions

  @Option(
    help: ArgumentHelp("Where the answers go. Default, and -: standard output.", valueName: "file"))
  var output = "-"

  @Option(help: "How many speakers are told of each recording, but for Id,Category.")
  var top = 5

  @Flag(
    help:
      "Writes one JSON object: {\"files\": [{\"path\", \"seconds\", \"speakers\": [{\"name\", \"probability\"}]}]}."
  )
  var json = false

  @Option(
    help: ArgumentHelp(
      "Also writes the logits there, F32 [recordings, speakers], in the same order.",
      valueName: "file.safetensors"))
  var logits: String?

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    let input = try recordings.input(of: "predict")
    let source = try weights.source(configurationFiles: configuration.files)
    var job = PredictJob(source: source, input: input, output: output)
    job.overrides = configuration.overrides
    job.top = top
    job.json = json
    job.logits = logits
    job.threads = threads.count
    return .job(job, json: json || [output, logits].contains("-"))
  }
}

/// `speakerid-dist gradients`.
struct Gradients: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "One forward and backward pass on a given batch, to compare with another implementation.",
    discussion: """
      In training mode with dropout off and BatchNorm on the batch's statistics. Writes 'loss' F32 [1], the mean over \
      the batch with the margin included; 'logits' F32 [B, speakers], without it; and 'grad.NAME' for every \
      parameter under its PyTorch name. The file is the same on any number of processes.
      """)

  @OptionGroup var configuration: ConfigurationOptions

  @Option(
    help: ArgumentHelp("The weights; they say how many speakers there are.", valueName: "file.safetensors"))
  var weights: String

  @Option(
    help: ArgumentHelp(
      "The batch: 'mels' F32 [B, T, bands] and 'labels' I64 [B].", valueName: "file.safetensors"))
  var batch: String

  @Option(help: ArgumentHelp("Where the gradients go; - for standard output.", valueName: "file.safetensors"))
  var output: String

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    var job = GradientsJob(
      configurationFiles: configuration.files, weights: weights, batch: batch, output: output)
    job.overrides = configuration.overrides
    job.threads = threads.count
    return .job(job, json: output == "-")
  }
}

/// `speakerid-dist baseline`.
struct Baseline: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "How far the nearest mean spectrum comes: what a corpus gives away without a network.",
    discussion: """
      A speaker is the mean of the training utterances' mean log-mel spectra, and a validation utterance goes to the \
      nearest. The split is that of 'train'.
      """)

  @OptionGroup var data: DataOptions

  @Option(help: "The split's train.seed.")
  var seed: UInt64 = 87

  @Flag(help: "Prints one JSON object on standard output and nothing else there.")
  var json = false

  func invocation() throws -> Invocation {
    var job = BaselineJob(data: data.directory, seed: seed)
    job.json = json
    return .job(job, json: json)
  }
}
