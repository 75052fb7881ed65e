import ArgumentParser
import Training

/// `speakerid-dist predict`.
struct Predict: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "The homework's submission: a speaker for every utterance of testdata.json.",
    discussion:
      "Writes Id,Category rows in the order of testdata.json, with CRLF line ends, from whole utterances.")

  @OptionGroup var weights: WeightsOptions
  @OptionGroup var configuration: ConfigurationOptions
  @OptionGroup var data: DataOptions

  @Option(help: ArgumentHelp("Where the submission goes; - for standard output.", valueName: "file.csv"))
  var output: String

  @Option(
    help: ArgumentHelp(
      "Also writes the logits there, F32 [utterances, speakers], in the same order.",
      valueName: "file.safetensors"))
  var logits: String?

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    let source = try weights.source(configurationFile: configuration.file)
    var job = PredictJob(source: source, data: data.directory, output: output)
    job.overrides = configuration.overrides
    job.logits = logits
    job.threads = threads.count
    return .job(job, json: [output, logits].contains("-"))
  }
}
