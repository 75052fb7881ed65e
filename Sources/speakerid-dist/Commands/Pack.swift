import ArgumentParser
import Training

/// `speakerid-dist pack`.
struct Pack: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Packs the homework's directory into a few memory-mapped files.",
    discussion: """
      Training reads a packed directory faster and changes no bit of its result. A pack that was interrupted goes \
      on where it was when it is started again.
      """)

  @Option(
    help: ArgumentHelp(
      "The homework's directory: metadata.json, uttr-*.pt, and mapping.json and testdata.json if they are there.",
      valueName: "dir"))
  var data: String

  @Option(
    help: ArgumentHelp(
      "The folder to pack into: a new one, an empty one, or one that the same pack has begun.",
      valueName: "dir"))
  var output: String

  @Option(
    help: ArgumentHelp(
      "How many shard files, at most one an utterance; train.shards must divide it. Test utterances get as many.",
      valueName: "n"))
  var shards = 8

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    var job = PackJob(data: data, output: output)
    job.shards = shards
    job.threads = threads.count
    return .job(job, json: false)
  }
}
