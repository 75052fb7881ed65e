import Audio
import Collectives
import Diagnostics
import SpeechData
import TensorCore
import TensorFiles

/// The options of `predict`, and the work: whose voice it is, in sound files or in a corpus.
public struct PredictJob: Job {
  /// The weights, and the network they belong to.
  public var source: WeightsSource
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// What is predicted: of data, the test utterances of the homework's folder or a packed one; of packed sound without
  /// such, and of any layout of sound without a part to test on, everything.
  public var input: RecordingInput
  /// Where the answers go; `-` for standard output.
  public var output: String
  /// Whether they are one JSON object; else rows of `Id,Category` for data, a table for files.
  public var json = false
  /// How many speakers the table and the JSON object tell of each recording.
  public var top = 5
  /// Where the logits go, a safetensors file with `logits` F32 [recordings, speakers]; `-` for standard output,
  /// `nil` for nowhere.
  public var logits: String?
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Predicts the speakers of `input`.
  public init(source: WeightsSource, input: RecordingInput, output: String) {
    self.source = source
    self.input = input
    self.output = output
  }

  /// Writes the answers, and the logits if they are wanted.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    _ = try communicator.onRankZero { try checkOutputs() }
    let trained = try TrainedModel(source, overrides: overrides, communicator, note: console.info)
    let threads = try ThreadCount.resolve(threads, communicator)
    KernelSet.start()
    let team = EvaluationTeam(threads: threads)
    switch input {
    case .files(let paths):
      try predict(
        paths.map { SoundSource(path: $0) }, named: paths, refused: [], trained, team, communicator, console)
    case .data(let data):
      let layout = try communicator.agreeing { try data.recognised() }
      guard ![.homework, .packed].contains(layout) else {
        return try predict(data.path, trained, team, threads, communicator, console)
      }
      let corpus = try communicator.agreeing { try data.open() }
      try communicator.checkSameData(corpus.fingerprint, data.path)
      let tests = corpus.recordings.filter { $0.part == .test }
      let recordings = tests.isEmpty ? corpus.recordings : tests
      try predict(
        recordings.map(\.source), named: recordings.map(\.key),
        refused: corpus.refused.map { Failure(.badData, "\(data.path): \($0.what.quoted) \($0.reason)") },
        trained, team, communicator, console)
    }
  }

  // MARK: Features

  private func predict<C: Communicator>(
    _ directory: String, _ trained: TrainedModel, _ team: EvaluationTeam, _ threads: Int, _ communicator: C,
    _ console: Console
  ) throws {
    let corpus = try communicator.agreeing {
      let corpus = try Corpus.open(directory)
      try trained.checkFeatures(of: corpus, warn: console.warning)
      // Recordings of anybody may be asked about where the weights know by themselves whom they tell apart.
      if trained.origin.speakers == nil || corpus.recipe == nil { try trained.checkSpeakers(of: corpus) }
      return corpus
    }
    let part = corpus.tests == nil && corpus.recipe != nil ? Predictor<C>.Part.all : .tests
    try communicator.checkSameData(part == .all ? corpus.fingerprint : corpus.testFingerprint, directory)
    let predictor = Predictor(
      communicator: communicator, model: trained.model, state: trained.state, corpus: corpus, part: part,
      normalization: trained.configuration.features.meanNormalization, team: team)
    let all = try predictor(threads: threads, console: console)
    try communicator.agreeing {
      guard let all else { return }
      let utterances = part == .all ? corpus.utterances : corpus.tests ?? []
      let speakers = trained.model.speakers
      let top = json ? self.top : 1
      var answers = SpeakerAnswers(names: try trained.origin.speakers ?? trained.speakers(of: corpus))
      let pace = corpus.secondsPerFrame
      for (index, utterance) in utterances.enumerated() {
        let row = Array(all[index * speakers..<(index + 1) * speakers])
        let likeliest = row.withUnsafeBufferPointer {
          Likelihood.likeliest(top, of: $0, probabilities: json)
        }
        answers.add(utterance.path, seconds: Double(utterance.frames) * pace, likeliest)
      }
      try write(answers, logits: all, speakers: speakers, trained, console)
    }
  }

  // MARK: Sound

  private func predict<C: Communicator>(
    _ sources: [SoundSource], named names: [String], refused: [Failure], _ trained: TrainedModel,
    _ team: EvaluationTeam, _ communicator: C, _ console: Console
  ) throws {
    let extractor = try communicator.agreeing { try trained.extractor(overrides, warn: console.warning) }
    let predictor = SoundPredictor(
      communicator: communicator, model: trained.model, state: trained.state, extractor: extractor,
      normalization: trained.configuration.features.meanNormalization, team: team)
    let (results, all) = try predictor(
      sources, top: top, rows: logits == nil ? nil : .logits, console: console)
    var failures = refused
    var answers = SpeakerAnswers(names: trained.speakerNames(warn: console.warning))
    for (name, result) in zip(names, results) {
      switch result {
      case .success(let answer): answers.add(name, seconds: answer.seconds, answer.likeliest)
      case .failure(let failure): failures.append(failure)
      }
    }
    _ = try communicator.onRankZero {
      try write(answers, logits: all, speakers: trained.model.speakers, trained, console)
    }
    try console.throwLast(of: failures)
  }

  // MARK: Output

  private func write(
    _ answers: SpeakerAnswers, logits all: [Float]?, speakers: Int, _ trained: TrainedModel,
    _ console: Console
  ) throws {
    let text: String
    switch input {
    case _ where json: text = answers.json + "\n"
    case .data: text = answers.submission
    case .files: text = answers.table
    }
    try OutputFiles.write(Array(text.utf8), to: output, console)
    if let logits, let all {
      let tensor = Tensor(float32: all, shape: [answers.count, speakers])
      try OutputFiles.write(Safetensors.serialize(NamedTensors([("logits", tensor)])), to: logits, console)
    }
    let place = OutputFiles.isStandardOutput(output) ? "standard output" : output
    console.info("\(answers.count) predictions with \(trained.file) are in \(place)")
  }

  private func checkOutputs() throws {
    guard top > 0 else { throw Failure(.usage, "--top: expected 1 or more, found \(top)") }
    let (files, run) = source.files
    try OutputFiles([("--output", output), logits.map { ("--logits", $0) }])
      .check(reading: files + input.files, data: input.data, run: run)
  }
}
