import Collectives
import DataParallel
import Diagnostics
import Foundation
import SpeakerNet
import SpeechData
import TensorFiles
import Training

/// The options of `bench`.
public struct BenchJob: Job {
  /// What can be measured.
  public enum Subject: String, CaseIterable, Sendable {
    /// Training steps a second, and where their time goes.
    case step
    /// Validation utterances a second.
    case validate
    /// Whole utterances predicted a second.
    case infer
    /// The ordered sum against MPI's own all-reduce.
    case allreduce
    /// Segments read a second.
    case data
  }

  /// What is measured.
  public var subject: Subject
  /// The configuration of the network; `nil` for the defaults.
  public var configurationFiles: [String] = []
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// The homework's directory or a packed one; `nil` for made-up data of the same shape.
  public var data: String?
  /// Whether the result is one JSON object.
  public var json = false
  /// Where a timeline of the measured steps goes, for chrome://tracing; `nil` for nowhere.
  public var trace: String?
  /// Seconds to measure; `nil` for what the subject needs.
  public var seconds: Double?
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Measures `subject`.
  public init(_ subject: Subject) { self.subject = subject }

  /// Measures, on all ranks together; rank 0 prints.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    try communicator.agreeing { try check(isWriter: communicator.rank == 0) }
    let setup = try BenchSetup(self, communicator, console: console)
    let seconds = seconds ?? 10
    switch subject {
    case .step:
      try setup.prepareData()
      let bench = StepBench(setup: setup, seconds: seconds)
      let figures = try bench.measure()
      try write(try trace == nil ? nil : bench.trace(), communicator)
      try show(figures.json, figures.text, console)
    case .validate:
      let figures = try EvaluationBench(setup: setup, seconds: seconds).validate()
      try show(
        figures.json,
        figures.text("validated, segments of \(setup.configuration.train.segmentLength) frames"), console)
    case .infer:
      let figures = try EvaluationBench(setup: setup, seconds: seconds).infer()
      try show(figures.json, figures.text("predicted whole, one at a time"), console)
    case .data:
      try setup.prepareData()
      let figures = try DataBench(setup: setup, seconds: seconds).measure()
      try show(figures.json, figures.text("read from \(setup.data.corpus.directory)"), console)
    case .allreduce:
      let bench = ReductionBench(
        communicator: communicator, shards: setup.configuration.train.shards,
        parameters: setup.model.layout.trainedCount,
        recipe: setup.recipe, seconds: seconds)
      let rows = try bench.measure()
      try show(bench.json(rows), bench.text(rows), console)
    }
  }

  /// What is wrong with the options, before the work.
  private func check(isWriter: Bool) throws {
    if let seconds, !(seconds > 0 && seconds <= 86_400) {
      throw Failure(.usage, "--seconds: expected a number above 0 and at most 86400, found \(seconds)")
    }
    guard let trace else { return }
    guard subject == .step else {
      throw Failure(.usage, "--trace: only 'bench step' has a timeline, not 'bench \(subject.rawValue)'")
    }
    guard isWriter else { return }
    try OutputFiles([("--trace", trace)]).check(
      reading: configurationFiles.map { ("--config", $0) }, data: data)
  }

  private func write<C: Communicator>(_ timeline: ChromeTrace?, _ communicator: C) throws {
    try communicator.agreeing {
      guard let trace, let timeline else { return }
      try FileWriting.writeAtomically(Array(timeline.text.utf8), to: trace)
    }
  }

  private func show(_ json: JSON, _ text: String, _ console: Console) throws {
    try console.result(self.json ? json.serialized() : text)
  }
}

/// What every measurement begins with: the configuration, the kernels, the data, as a training run sets them up.
struct BenchSetup<C: Communicator> {
  let communicator: C
  let console: Console
  let configuration: Configuration
  /// The configuration's name: a recipe's, when it is one.
  let recipe: String
  /// Threads of each rank.
  let threads: Int
  let data: TrainingData
  let augmentation: AugmentationData
  let model: SpeakerModel

  /// This rank's shards.
  var localShards: Range<Int> {
    ShardOwnership(shards: configuration.train.shards, ranks: communicator.size).shards(of: communicator.rank)
  }

  /// Reads the configuration and opens the data. Collective.
  init(_ job: BenchJob, _ communicator: C, console: Console) throws {
    self.communicator = communicator
    self.console = console
    let configuration = try communicator.agreeing {
      let configuration = try Configuration.load(files: job.configurationFiles, overrides: job.overrides)
      try configuration.check(ranks: communicator.size)
      return configuration
    }
    self.configuration = configuration
    recipe = Self.name(job)
    let threads = try ThreadCount.resolve(job.threads, communicator)
    self.threads = threads
    try KernelReport(communicator).show(on: console)

    let train = configuration.train
    let named =
      try job.data
      ?? BenchCorpus(shards: train.shards).provide(communicator, threads: threads, console: console)
    let cache = try SoundCache(named, configuration, communicator)
    let directory = try cache?.provide(communicator, console: console) ?? named
    let data = try communicator.agreeing {
      try TrainingData(directory: directory, configuration)
    }
    self.data = data
    augmentation = try AugmentationData(
      configuration, for: data, sound: cache, communicator, console: console)
    model = try communicator.agreeing {
      try SpeakerModel(
        configuration.model, speakers: data.speakers.names.count, bands: data.corpus.bands,
        variants: configuration.augment.speed.variants)
    }
  }

  /// Reads and verifies this rank's shards. Collective.
  func prepareData() throws {
    try communicator.agreeing { try data.prepare(localShards, threads: threads, console: console) }
  }

  /// This rank's training slices, read as training reads them. Collective.
  func slices() throws -> TrainingSlices {
    try communicator.agreeing {
      try augmentation.prepare(threads: threads, console: console)
      return try augmentation.slices(of: localShards, data, configuration)
    }
  }

  /// The same, made beside the steps where training makes them so. Collective.
  func source() throws -> any SliceSource {
    let processors = try ThreadCount.resolve(nil, communicator)
    return try communicator.agreeing {
      try augmentation.prepare(threads: threads, console: console)
      return try augmentation.source(
        of: localShards, data, configuration, threads: threads, processors: processors)
    }
  }

  /// The file's name without its suffix. The defaults are those of the homework's sample.
  private static func name(_ job: BenchJob) -> String {
    guard let file = job.configurationFiles.first else { return "003-sample" }
    return ((file as NSString).lastPathComponent as NSString).deletingPathExtension
  }
}
