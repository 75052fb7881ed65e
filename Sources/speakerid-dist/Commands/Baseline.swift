import ArgumentParser
import Training

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
