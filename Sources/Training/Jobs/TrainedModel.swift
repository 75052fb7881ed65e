import Collectives
import Diagnostics
import SpeakerNet
import SpeechData
import TensorFiles

/// Where a command that uses trained weights takes them from.
public enum WeightsSource: Equatable, Sendable {
  /// The best weights of a run, or those of one of its checkpoints (`step-00002000` or `2000`), with the run's
  /// configuration.
  case run(String, checkpoint: String? = nil)
  /// A file of weights and the configuration files of its network, as `Configuration.load` takes them.
  case file(weights: String, configurations: [String])
}

/// A network with its trained values, the same on every rank.
struct TrainedModel {
  let configuration: Configuration
  let model: SpeakerModel
  let state: ModelState
  /// What it was trained on, as far as the file tells.
  let origin: TrainingOrigin
  /// The file the values are from.
  let file: String

  /// Loads the weights of a run (its best, or its last checkpoint's if it was never validated) or of a file.
  /// Collective: all ranks fail alike.
  ///
  /// - Parameter note: gets one line when the file holds names that the model does not use.
  init<C: Communicator>(
    _ source: WeightsSource, overrides: [String], _ communicator: C, note: (String) -> Void = { _ in }
  ) throws {
    (configuration, model, state, origin, file) = try communicator.agreeing {
      let (configuration, weights, file) = try Self.read(source, overrides)
      let speakers = try Self.speakers(in: weights, configuration.model, file: file)
      let bands = try Self.bands(in: weights, file: file)
      let variants = configuration.augment.speed.variants
      guard speakers.isMultiple(of: variants) else {
        throw Failure(
          .badData,
          "\(file): tells \(speakers) apart, which is not \(variants) of every speaker, as augment.speed has it"
        )
      }
      let model = try SpeakerModel(
        configuration.model, speakers: speakers / variants, bands: bands, variants: variants)
      let state = ModelState(layout: model.layout)
      let dead = try state.load(weights, file: file)
      if !dead.isEmpty { note("\(file): passed over \(dead.count) names that the model does not use") }
      let origin = try TrainingOrigin(weights.metadata, speakers: model.speakers, file: file)
      return (configuration, model, state, origin, file)
    }
  }

  /// Checks that a corpus can be judged: that it has the speakers and the features that the weights were trained on.
  ///
  /// - Parameter warn: gets a line about what is not known of it.
  /// - Throws: `badData` that names what differs.
  func check(_ corpus: Corpus, warn: (String) -> Void) throws {
    try checkFeatures(of: corpus, warn: warn)
    try checkSpeakers(of: corpus)
  }

  /// Checks that a corpus has the features that the weights were trained on.
  func checkFeatures(of corpus: Corpus, warn: (String) -> Void) throws {
    try origin.check(corpus.recipe, of: corpus.directory, trained: file, warn: warn)
    guard corpus.bands == model.bands else {
      throw Failure(
        .badData, "\(corpus.directory): bands is \(corpus.bands), where \(file) was trained on \(model.bands)"
      )
    }
  }

  /// The names of a corpus's speakers by the labels that the weights have for them.
  func speakers(of corpus: Corpus) throws -> [String] {
    try SpeakerSelection(of: corpus.speakers, holdingOut: configuration.data.holdoutSpeakers).names
  }

  /// Checks that a corpus has the speakers that the weights tell apart, with the same labels.
  func checkSpeakers(of corpus: Corpus) throws {
    let speakers = try speakers(of: corpus)
    guard speakers.count == model.speakers else {
      throw Failure(
        .badData,
        "\(corpus.directory) has \(speakers.count) speakers, but \(file) was trained on \(model.speakers):"
          + " is it the data of another run?"
      )
    }
    guard let names = origin.speakers,
      let label = names.indices.first(where: { names[$0] != speakers[$0] })
    else { return }
    throw Failure(
      .badData,
      "\(corpus.directory): speaker \(label) is \(speakers[label].quoted), where \(file) was trained on"
        + " \(names[label].quoted): is it the data of another run?")
  }

  private static func read(
    _ source: WeightsSource, _ overrides: [String]
  ) throws -> (Configuration, any TensorSource, String) {
    switch source {
    case .file(let weights, let configurations):
      let configuration = try Configuration.load(files: configurations, overrides: overrides)
      return (
        configuration, try WeightsFile.openModel(weights, output: configuration.model.head.outputName),
        weights
      )
    case .run(let path, let checkpoint):
      let run = try RunDirectory.open(path)
      let configuration = try Configuration.load(file: run.configurationFile, overrides: overrides)
      if let checkpoint {
        let (model, file) = try self.checkpoint(
          checkpoint, of: run, keep: configuration.train.keepCheckpoints)
        return (configuration, model, file)
      }
      if let (weights, _) = try BestWeights.load(run: run) {
        return (configuration, weights, run.bestModelFile)
      }
      let store = run.checkpoints(keep: configuration.train.keepCheckpoints)
      guard let checkpoint = try store.latest(warn: { _ in }) else {
        throw Failure(.missingInput, "\(path): the run has neither best weights nor a checkpoint yet")
      }
      return (
        configuration, checkpoint.model, "\(store.path(step: checkpoint.progress.step))/model.safetensors"
      )
    }
  }

  /// The weights of one checkpoint of a run, and their file.
  private static func checkpoint(
    _ name: String, of run: RunDirectory, keep: Int
  ) throws -> (NamedTensors, String) {
    let store = run.checkpoints(keep: keep)
    let steps = store.steps
    let last = name.split(separator: "/").last ?? ""
    guard let step = Int(last.hasPrefix("step-") ? last.dropFirst(5) : last), steps.contains(step) else {
      let names = steps.map { String(store.path(step: $0).split(separator: "/").last ?? "") }
      throw Failure(
        .missingInput,
        "\(run.path): there is no checkpoint \(name); "
          + (names.isEmpty
            ? "the run has none yet" : "there \(names.count == 1 ? "is" : "are") \(listed(names, "and"))"))
    }
    return (try store.read(step: step).model, "\(store.path(step: step))/model.safetensors")
  }

  /// The number of speakers the last layer tells apart.
  private static func speakers(
    in weights: some TensorSource, _ model: ModelConfiguration, file: String
  ) throws -> Int {
    let name = "\(model.head.outputName).weight"
    guard let shape = weights.description(of: name)?.shape, shape.count == 2 else {
      throw Failure(
        .badData, "\(file): expected the head's matrix \(name); is this the file of another model?")
    }
    guard (1...Int(Int32.max)).contains(shape[0]), shape[1] > 0 else {
      throw Failure(.badData, "\(file): \(name) has shape \(shape), expected [speakers, features]")
    }
    return shape[0]
  }

  /// The number of mel bands the first layer takes.
  private static func bands(in weights: some TensorSource, file: String) throws -> Int {
    let name = "prenet.weight"
    // What is missing is told when all is loaded.
    guard let shape = weights.description(of: name)?.shape else { return SpeakerModel.homeworkBands }
    guard shape.count == 2, (1...ConfigurationKey.mostBands).contains(shape[1]) else {
      throw Failure(.badData, "\(file): \(name) has shape \(shape), expected [width, mel bands]")
    }
    return shape[1]
  }
}
