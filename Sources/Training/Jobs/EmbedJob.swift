import Audio
import Collectives
import Diagnostics
import SpeechData
import TensorCore
import TensorFiles
import Verification

/// The options of `embed`, and the work: the vectors that stand for the voices of recordings.
public struct EmbedJob: Job {
  /// The weights, and the network they belong to.
  public var source: WeightsSource
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// What is embedded: of data everything, also what is there to be tested on.
  public var input: RecordingInput
  /// Where the embeddings go: `.safetensors`, `.npy` or `.ark`.
  public var output: String
  /// Whether what was done is told as one JSON object.
  public var json = false
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Embeds `input`.
  public init(source: WeightsSource, input: RecordingInput, output: String) {
    self.source = source
    self.input = input
    self.output = output
  }

  /// Writes the embeddings, shared out over the ranks: the same file from any number of them.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    _ = try communicator.onRankZero { try checkOutputs() }
    let trained = try TrainedModel(source, overrides: overrides, communicator, note: console.info)
    let threads = try ThreadCount.resolve(threads, communicator)
    KernelSet.start()
    let team = EvaluationTeam(threads: threads)
    switch input {
    case .files(let paths):
      try embed(
        paths.map { SoundSource(path: $0) }, keys: paths, refused: [], trained, team, communicator, console)
    case .data(let data):
      let layout = try communicator.agreeing { try data.recognised() }
      guard ![.homework, .packed].contains(layout) else {
        return try embed(data.path, trained, team, threads, communicator, console)
      }
      let corpus = try communicator.agreeing { try data.open() }
      try communicator.checkSameData(corpus.fingerprint, data.path)
      try embed(
        corpus.recordings.map(\.source), keys: corpus.recordings.map(\.key),
        refused: corpus.refused.map { Failure(.badData, "\(data.path): \($0.what.quoted) \($0.reason)") },
        trained, team, communicator, console)
    }
  }

  /// Features, of any speakers: those that the weights tell apart do not matter.
  private func embed<C: Communicator>(
    _ directory: String, _ trained: TrainedModel, _ team: EvaluationTeam, _ threads: Int, _ communicator: C,
    _ console: Console
  ) throws {
    let corpus = try communicator.agreeing {
      let corpus = try Corpus.open(directory)
      try trained.checkFeatures(of: corpus, warn: console.warning)
      return corpus
    }
    try communicator.checkSameData(corpus.fingerprint, directory)
    try communicator.checkSameData(corpus.testFingerprint, directory)
    var keys = corpus.utterances.map(\.path), values: [Float]? = []
    for part in [Predictor<C>.Part.all, .tests] where part == .all || corpus.tests?.isEmpty == false {
      let predictor = Predictor(
        communicator: communicator, model: trained.model, state: trained.state, corpus: corpus, part: part,
        output: .embedding, normalization: trained.configuration.features.meanNormalization, team: team)
      let rows = try predictor(threads: threads, console: console)
      values = rows.flatMap { rows in values.map { $0 + rows } }
    }
    keys += corpus.tests?.map(\.path) ?? []
    _ = try communicator.onRankZero { try write(keys, values ?? [], failed: 0, trained, console) }
  }

  private func embed<C: Communicator>(
    _ sources: [SoundSource], keys: [String], refused: [Failure], _ trained: TrainedModel,
    _ team: EvaluationTeam,
    _ communicator: C, _ console: Console
  ) throws {
    let extractor = try communicator.agreeing { try trained.extractor(overrides, warn: console.warning) }
    let predictor = SoundPredictor(
      communicator: communicator, model: trained.model, state: trained.state, extractor: extractor,
      normalization: trained.configuration.features.meanNormalization, team: team)
    let (answers, rows) = try predictor(sources, top: 0, rows: .embedding, console: console)
    var failures = refused
    var embedded: [String] = []
    for (key, answer) in zip(keys, answers) {
      switch answer {
      case .success: embedded.append(key)
      case .failure(let failure): failures.append(failure)
      }
    }
    _ = try communicator.onRankZero {
      guard !embedded.isEmpty || failures.isEmpty else { return }
      try write(embedded, rows ?? [], failed: failures.count, trained, console)
    }
    try console.throwLast(of: failures)
  }

  // MARK: Output

  private func write(
    _ keys: [String], _ values: [Float], failed: Int, _ trained: TrainedModel, _ console: Console
  ) throws {
    let width = trained.model.embeddingWidth
    let set = try EmbeddingSet(keys: keys, width: width, values: values, source: trained.file)
    try set.write(to: output)
    if json {
      let object: JSON = [
        "embeddings": .integer(set.count), "width": .integer(width), "failed": .integer(failed),
        "output": .string(output), "weights": .string(trained.file),
      ]
      try console.result(object.serialized())
    } else {
      let what = set.count == 1 ? "embedding" : "embeddings"
      console.info("\(set.count) \(what) of \(width) values with \(trained.file) are in \(output)")
    }
  }

  private func checkOutputs() throws {
    guard !OutputFiles.isStandardOutput(output) else {
      throw Failure(
        .usage, "--output \(output): expected a file: its name says in which format it is written")
    }
    let format = try EmbeddingSet.Format(output, flag: "--output")
    guard format != .scp else {
      throw Failure(.usage, "--output \(output): expected the .ark; its .scp is written beside it")
    }
    if case .files(let paths) = input {
      var seen: Set<String> = []
      if let path = paths.first(where: { !seen.insert($0).inserted }) {
        throw Failure(.usage, "embed: \(path) is named twice; a key stands for one embedding")
      }
    }
    let (files, run) = source.files
    try OutputFiles(EmbeddingSet.files(of: output).map { ("--output", $0) })
      .check(reading: files + input.files, data: input.data, run: run)
  }
}
