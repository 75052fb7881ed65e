import ArgumentParser
import Training

/// `speakerid-dist pack`.
struct Pack: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Packs features or sound into a few memory-mapped files.",
    discussion: """
      Training reads a packed directory faster and changes no bit of its result. Of sound, features are made as audio and \
      features of the configuration say ('train --help-config' explains the keys); recordings that cannot be used are \
      listed in refused.tsv. A pack that was interrupted goes on where it was when it is started again.
      """)

  @Option(
    help: ArgumentHelp(
      "The homework's directory, or sound: a folder per speaker, VoxCeleb, LibriSpeech, a directory of Kaldi's, or a "
        + "list of files.", valueName: "dir"))
  var data: String

  @OptionGroup var sound: SoundOptions

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

  @Flag(help: "Makes a recording that cannot be used an error, instead of leaving it out.")
  var strict = false

  @OptionGroup var configuration: ConfigurationOptions
  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    var job = PackJob(source: sound.source(data), output: output)
    job.isStrict = strict
    job.configurationFiles = configuration.files
    job.overrides = configuration.overrides
    job.shards = shards
    job.threads = threads.count
    return .job(job, json: false)
  }
}
