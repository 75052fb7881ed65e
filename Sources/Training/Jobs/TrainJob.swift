import Audio
import Collectives
import DataParallel
import Diagnostics
import SpeakerNet
import TensorFiles

/// The options of `train`, and the work: trains, validates, saves checkpoints.
public struct TrainJob: Job {
  /// What is to be done about a run that may be there already.
  public enum Beginning: Equatable, Sendable {
    /// A new run; one that is there is refused.
    case new
    /// A new run; one that is there is removed.
    case overwriting
    /// The run that is there is gone on with.
    case resuming
    /// The run that is there is gone on with; if there is none, a new one begins.
    case resumingIfThere
  }

  /// Configuration files, a later one beating those before it; none for the built-in recipe, or the run's own when it
  /// is gone on with.
  public var configurationFiles: [String] = []
  /// `key=value`, beating the file.
  public var overrides: [String] = []
  /// The homework's directory or a packed one; `nil` for the built-in corpus, or the run's own when it is gone on with.
  public var data: String?
  /// The run directory; `nil` for a new one under `runs/`.
  public var runDirectory: String?
  /// Whether it begins or goes on.
  public var beginning = Beginning.new
  /// Whether to check everything, say what would be done, and do nothing.
  public var dryRun = false
  /// Weights to start from, `.safetensors`, `.pt` or `.ckpt`; `nil` to draw them.
  public var weights: String?
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// The bare command: the built-in recipe on the built-in corpus.
  public init() {}

  /// Trains, validates, saves checkpoints.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    _ = try communicator.onRankZero {
      try runDirectory.map { try OutputFiles.check(run: $0, data: self.data) }
    }
    let start = try resolveStart(communicator, console: console)
    if let end = start.finished { return console.info(end) }
    let configuration = start.configuration
    let threads = try ThreadCount.resolve(threads, communicator)
    try communicator.agreeing {
      try configuration.checkMemory(ranks: communicator.size, threads: threads)
    }
    let kernels = try KernelReport(communicator)
    kernels.show(on: console)

    if dryRun, start.data == nil, try !BuiltInCorpus.isThere(communicator) {
      console.info("This was a dry run: the built-in corpus is not there yet, and nothing was written")
      return
    }
    let named = try start.data ?? BuiltInCorpus.provide(communicator, console: console)
    let cache = try SoundCache(named, configuration, communicator)
    if dryRun, let cache, try !cache.isThere(communicator) {
      console.info("This was a dry run: the features of \(named) are not packed yet, and nothing was written")
      return
    }
    let directory = try cache?.provide(communicator, console: console) ?? named
    let train = configuration.train
    let data = try communicator.agreeing {
      let data = try TrainingData(directory: directory, configuration)
      try data.checkTraining()
      return data
    }
    try communicator.checkSameData(data.corpus.fingerprint, directory)
    let augmentation = try AugmentationData(
      configuration, for: data, sound: cache, packs: !dryRun, communicator, console: console)
    let model = try communicator.agreeing {
      try SpeakerModel(
        configuration.model, speakers: data.speakers.names.count, bands: data.corpus.bands,
        variants: configuration.augment.speed.variants)
    }
    describe(data, model, communicator, threads, console)
    let memory = try MemoryReport(
      communicator, threads: threads,
      toStart: configuration.threadsToStart(ranks: communicator.size, threads: threads)
    ) { rank, threads in
      MemoryNeed(
        model, train, batch: configuration.batchShape, rank: rank, ranks: communicator.size,
        threads: threads, utterances: data.corpus.utterances.count, isResuming: start.resumes)
    }
    if dryRun { memory.show(on: console) }
    try memory.check()
    // Before there is a run directory, so that a mistake leaves none behind.
    let given =
      try start.resumes ? nil : initialState(model, hearing: data.corpus.recipe, communicator, console)
    if dryRun {
      console.info("This was a dry run: of the data, the index alone was read, and nothing was written")
      return
    }

    // Before the data is read, so that a folder that cannot be written to is known at once.
    let origin = TrainingOrigin(data)
    var files = try openRun(
      start, corpus: data.corpus.fingerprint, origin: origin, communicator, console: console)
    let report = RunReport(console, train, files, isResumed: start.resumes, ranks: communicator.size)
    try report.tellingTheEnd {
      let source = RunStart.DataSource(
        path: named, fingerprint: data.corpus.fingerprint, isBuiltIn: start.data == nil,
        recipe: origin.recipe)
      let ranks = try kernels.ranks(communicator, threads: threads)
      _ = try communicator.onRankZero {
        guard let files else { return }
        try RunStart(step: files.checkpoint?.progress.step ?? 0, data: source, ranks: ranks)
          .write(to: files.directory, warn: console.warning)
      }
      let ownership = ShardOwnership(shards: train.shards, ranks: communicator.size)
      let shards = ownership.shards(of: communicator.rank)
      let processors = try ThreadCount.resolve(nil, communicator)
      let slices = try communicator.agreeing {
        try data.prepare(shards, threads: threads, console: console)
        try augmentation.prepare(threads: threads, console: console)
        return try augmentation.source(
          of: shards, data, configuration, threads: threads,
          processors: processors)
      }
      console.info("Finish loading data!")

      let trainer = try Trainer(communicator, configuration: configuration, model: model, threads: threads)
      var progress = try bring(trainer, toStartOf: start, given, &files, kernels, communicator, console)
      progress.data = data.corpus.fingerprint
      progress.recipe = origin.recipe ?? progress.recipe
      console.info("Finish creating model!")
      if let files { LaunchEvent.begun(run: files.directory.path, step: progress.step).tell() }
      report.begin(progress, utterances: data.split.training.count)
      var loop = TrainingLoop(
        communicator, console: console, train: train, trainer: trainer, slices: slices,
        validator: Validator(
          communicator: communicator, model: model, data: data, unit: .segments(frames: train.segmentLength),
          seed: train.seed, team: EvaluationTeam(threads: threads)),
        files: files, report: report, progress: progress,
        startsFromGivenWeights: weights != nil && progress.step == 0)
      try loop.run()
    }
  }

  private func describe<C: Communicator>(
    _ data: TrainingData, _ model: SpeakerModel, _ communicator: C, _ threads: Int, _ console: Console
  ) {
    let count = data.corpus.speakers.count - data.speakers.names.count
    let heldOut = count == 0 ? "" : "; \(count) \(count == 1 ? "speaker is" : "speakers are") held out"
    console.info(
      "\(data.corpus.utterances.count) utterances of \(data.corpus.speakers.count) speakers in \(data.corpus.directory):"
        + " \(data.split.training.count) to train, \(data.split.validation.count) to validate\(heldOut)")
    console.info(
      "\(model.parameterCount) parameters, \(model.encoderParameters) of them in the encoder;"
        + " \(data.shards) shards on \(communicator.size) \(communicator.size == 1 ? "process" : "processes"),"
        + " \(threads) \(threads == 1 ? "thread" : "threads") each")
  }

  // MARK: Where the trainer begins

  /// Brings the trainer to where the run begins: drawn or given weights, or the last checkpoint. Collective.
  private func bring<C: Communicator>(
    _ trainer: Trainer<C>, toStartOf start: ResolvedStart, _ given: ModelState?, _ files: inout RunFiles?,
    _ kernels: KernelReport, _ communicator: C, _ console: Console
  ) throws -> RunProgress {
    let checkpoint = files?.checkpoint
    files?.checkpoint = nil
    guard
      var progress = try communicator.sharedFromRankZero(
        checkpoint?.progress, as: { CheckpointState(progress: $0).json },
        { try CheckpointState($0, file: "state.json").progress })
    else {
      if start.resumes { console.warning("the run has no checkpoint yet: starting from its beginning") }
      if let initial = try given ?? initialState(trainer.model, communicator, console) {
        trainer.state.update(from: initial)
        trainer.state.batchesTracked = 0
      }
      return RunProgress(step: 0, configuration: start.configuration, kernels: kernels.names)
    }
    let folder = files?.checkpoints.path(step: progress.step)
    try trainer.restore(checkpoint, folder: folder ?? "")
    console.info("Going on after step \(progress.step)")
    if progress.kernels.first != kernels.names[0] {
      console.warning(
        "the run was computed with \(progress.kernels.first ?? "unknown kernels"): from here on its last bits are"
          + " those of \(kernels.names[0])")
    }
    if let weights { console.info("The run has weights of its own: \(weights) is passed over") }
    progress.kernels = kernels.names
    progress.take(start.configuration)
    return progress
  }

  /// The values of the weights to start from, if some are given. Collective: every rank reads them.
  ///
  /// - Parameter recipe: what the data's features were made with, if that is known.
  private func initialState<C: Communicator>(
    _ model: SpeakerModel, hearing recipe: FeatureRecipe? = nil, _ communicator: C, _ console: Console
  ) throws -> ModelState? {
    guard let weights else { return nil }
    return try communicator.agreeing {
      let state = ModelState(layout: model.layout)
      let file = try WeightsFile.openModel(weights, output: model.configuration.head.outputName)
      let dead = try state.load(file, file: weights)
      try TrainingOrigin.remark(onWeights: file.metadata, file: weights, hearing: recipe)
        .map(console.warning)
      if !dead.isEmpty {
        console.info("\(weights): passed over \(dead.count) names that the model does not use")
      }
      return state
    }
  }
}
