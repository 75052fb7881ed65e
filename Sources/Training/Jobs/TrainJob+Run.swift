import Collectives
import DataParallel
import Diagnostics
import Foundation
import SpeakerNet
import SpeechData
import TensorFiles

extension TrainJob {
  /// Trains, validates, checkpoints.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    let configuration = try resolveConfiguration(group, console: console)
    let threads = try ThreadCount.resolve(threads, group)
    let kernels = try KernelReport(group)
    kernels.show(on: console)

    if dryRun, data == nil, try !BuiltInCorpus.isThere(group) {
      console.info("This was a dry run: the built-in corpus is not there yet, and nothing was written")
      return
    }
    let directory = try data ?? BuiltInCorpus.provide(group, console: console)
    let train = configuration.train
    let data = try group.agreeing {
      let data = try TrainingData(directory: directory, seed: train.seed, shards: train.shards)
      try data.checkTraining()
      return data
    }
    try group.checkSameData(data.corpus.fingerprint, directory)
    let model = try group.agreeing {
      try SpeakerModel(configuration.model, speakers: data.corpus.speakers.count)
    }
    // Before there is a run directory, so that a mistake leaves none behind.
    let given = try resume ? nil : initialState(model, group, console)
    describe(data, model, group, threads, console)
    if dryRun {
      _ = try group.onRankZero { try checkRunDirectory() }
      console.info("This was a dry run: of the data, the index alone was read, and nothing was written")
      return
    }

    // Before the data is read, so that a folder that cannot be written to is known at once.
    var files = try openRun(configuration, corpus: data.corpus.fingerprint, group, console: console)
    let report = RunReport(console, train, files, isResumed: resume, ranks: group.size)
    try report.tellingTheEnd {
      let source = RunStart.DataSource(
        path: data.corpus.directory, fingerprint: data.corpus.fingerprint, isBuiltIn: self.data == nil)
      let ranks = try kernels.ranks(group, threads: threads)
      _ = try group.onRankZero {
        guard let files else { return }
        try RunStart(step: files.checkpoint?.progress.step ?? 0, data: source, ranks: ranks)
          .write(to: files.directory, warn: console.warning)
      }
      let ownership = ShardOwnership(shards: train.shards, ranks: group.size)
      let run = ownership.shards(of: group.rank)
      let slices = try group.agreeing {
        try data.prepare(run, threads: threads, console: console)
        return try data.slices(of: run, shape: configuration.batchShape, seed: train.seed)
      }
      console.info("Finish loading data!")

      let trainer = try Trainer(group, configuration: configuration, model: model, threads: threads)
      var progress = try start(trainer, given, train, &files, kernels, group, console)
      progress.data = data.corpus.fingerprint
      console.info("Finish creating model!")
      if let files { LaunchEvent.begun(run: files.directory.path, step: progress.step).tell() }
      report.begin(progress, utterances: data.split.training.count)
      var loop = TrainingLoop(
        group, console: console, train: train, trainer: trainer, slices: slices,
        validator: Validator(
          communicator: group, model: model, data: data, unit: .segments(frames: train.segmentLength),
          seed: train.seed, team: EvaluationTeam(threads: threads)),
        files: files, report: report, progress: progress,
        startsFromGivenWeights: weights != nil && progress.step == 0)
      try loop.run()
    }
  }

  private func describe<C: Communicator>(
    _ data: TrainingData, _ model: SpeakerModel, _ group: C, _ threads: Int, _ console: Console
  ) {
    console.info(
      "\(data.corpus.utterances.count) utterances of \(data.corpus.speakers.count) speakers in \(data.corpus.directory):"
        + " \(data.split.training.count) to train, \(data.split.validation.count) to validate")
    console.info(
      "\(model.parameterCount) parameters, \(model.encoderParameters) of them in the encoder;"
        + " \(data.shards) shards on \(group.size) \(group.size == 1 ? "process" : "processes"),"
        + " \(threads) \(threads == 1 ? "thread" : "threads") each")
  }

  /// Brings the trainer to where the run begins: drawn or given weights, or the last checkpoint. Collective.
  private func start<C: Communicator>(
    _ trainer: Trainer<C>, _ given: ModelState?, _ train: TrainConfiguration, _ files: inout RunFiles?,
    _ kernels: KernelReport, _ group: C, _ console: Console
  ) throws -> RunProgress {
    var progress = RunProgress(step: 0, seed: train.seed, shards: train.shards, kernels: kernels.names)
    let checkpoint = files?.checkpoint
    files?.checkpoint = nil
    let hasCheckpoint = try group.allGather(checkpoint == nil ? 0 : 1)[0] == 1
    if hasCheckpoint {
      let folder = checkpoint.flatMap { files?.checkpoints.path(step: $0.progress.step) }
      try trainer.restore(checkpoint, folder: folder ?? "")
      progress = try shared(checkpoint?.progress ?? progress, group)
      if let checkpoint {
        console.info("Going on after step \(checkpoint.progress.step)")
        if checkpoint.progress.kernels.first != kernels.names[0] {
          console.warning(
            "the run was computed with \(checkpoint.progress.kernels.first ?? "unknown kernels"): from here on its last"
              + " bits are those of \(kernels.names[0])")
        }
      }
      progress.kernels = kernels.names
    } else if resume {
      console.warning("the run has no checkpoint yet: starting from its beginning")
    }
    if !hasCheckpoint, let initial = try given ?? initialState(trainer.model, group, console) {
      trainer.state.update(from: initial)
      trainer.state.batchesTracked = 0
    } else if hasCheckpoint, let weights {
      console.info("The run has weights of its own: \(weights) is passed over")
    }
    return progress
  }

  /// The values of the weights to start from, if some are given. Collective: every rank reads them.
  private func initialState<C: Communicator>(
    _ model: SpeakerModel, _ group: C, _ console: Console
  ) throws -> ModelState? {
    guard let weights else { return nil }
    return try group.agreeing {
      let state = ModelState(layout: model.layout)
      let dead = try state.load(
        WeightsFile.openModel(weights, output: model.configuration.head.outputName), file: weights)
      if !dead.isEmpty {
        console.info("\(weights): passed over \(dead.count) names that the model does not use")
      }
      return state
    }
  }

  /// Rank 0's best result and metrics window on every rank.
  private func shared<C: Communicator>(_ progress: RunProgress, _ group: C) throws -> RunProgress {
    var numbers = [
      Double(progress.best?.step ?? -1), progress.best?.accuracy ?? 0, Double(progress.window.steps),
      progress.window.loss, progress.window.accuracy,
      progress.lacksValidation ? 1 : 0,
    ]
    try numbers.withUnsafeMutableBytes { try group.broadcast($0, root: 0) }
    var result = progress
    result.best = numbers[0] < 0 ? nil : BestResult(accuracy: numbers[1], step: Int(numbers[0]))
    result.window.steps = Int(numbers[2])
    result.window.loss = numbers[3]
    result.window.accuracy = numbers[4]
    result.lacksValidation = numbers[5] == 1
    return result
  }
}
