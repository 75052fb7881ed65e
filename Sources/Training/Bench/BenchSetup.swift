import Collectives
import Diagnostics
import Foundation
import SpeakerNet
import SpeechData

/// What every measurement begins with: the configuration, the kernels, the data, as a training run sets them up.
struct BenchSetup<C: Communicator> {
  let group: C
  let console: Console
  let configuration: Configuration
  /// The configuration's name: a recipe's, when it is one.
  let recipe: String
  /// Threads of each rank.
  let threads: Int
  let data: TrainingData
  let model: SpeakerModel

  /// This rank's shards.
  var run: Range<Int> {
    ShardOwnership(shards: configuration.train.shards, ranks: group.size).shards(of: group.rank)
  }

  /// Reads the configuration and opens the data. Collective.
  init(_ job: BenchJob, _ group: C, console: Console) throws {
    self.group = group
    self.console = console
    let configuration = try group.agreeing {
      let configuration = try Configuration.load(file: job.configurationFile, overrides: job.overrides)
      try configuration.check(ranks: group.size)
      return configuration
    }
    self.configuration = configuration
    recipe = Self.name(job)
    let threads = try ThreadCount.resolve(job.threads, group)
    self.threads = threads
    try KernelReport(group).show(on: console)

    let train = configuration.train
    let directory =
      try job.data ?? BenchCorpus(shards: train.shards).provide(group, threads: threads, console: console)
    let data = try group.agreeing {
      try TrainingData(directory: directory, seed: train.seed, shards: train.shards)
    }
    self.data = data
    model = try group.agreeing { try SpeakerModel(configuration.model, speakers: data.corpus.speakers.count) }
  }

  /// Reads and verifies this rank's shards. Collective.
  func prepareData() throws {
    try group.agreeing { try data.prepare(run, threads: threads, console: console) }
  }

  /// This rank's training slices, read as training reads them. Collective.
  func slices() throws -> TrainingSlices {
    try group.agreeing {
      try data.slices(of: run, shape: configuration.batchShape, seed: configuration.train.seed)
    }
  }

  /// The file's name without its suffix. The defaults are those of the homework's sample.
  private static func name(_ job: BenchJob) -> String {
    guard let file = job.configurationFile else { return "003-sample" }
    return ((file as NSString).lastPathComponent as NSString).deletingPathExtension
  }
}
