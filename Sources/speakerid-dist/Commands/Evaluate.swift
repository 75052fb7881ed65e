import ArgumentParser
import Training

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
    let source = try weights.source(configurationFile: configuration.file)
    var job = EvaluateJob(source: source, data: data.directory)
    job.overrides = configuration.overrides
    job.whole = whole
    job.json = json
    job.threads = threads.count
    return .job(job, json: json)
  }
}
