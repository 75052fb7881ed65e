import Collectives
import Diagnostics
import SpeechData
import TensorCore
import TensorFiles

/// The options of `predict`, and the work: the homework's submission.
public struct PredictJob: Job {
  /// The weights, and the network they belong to.
  public var source: WeightsSource
  /// `key=value`, beating the configuration file.
  public var overrides: [String] = []
  /// A directory with a `testdata.json`, or a packed one.
  public var data: String
  /// Where the homework's submission goes; `-` for standard output.
  public var output: String
  /// Where the logits go, a safetensors file with `logits` F32 [utterances, speakers]; `-` for standard output,
  /// `nil` for nowhere.
  public var logits: String?
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Predicts the speakers of the test utterances of `data`.
  public init(source: WeightsSource, data: String, output: String) {
    self.source = source
    self.data = data
    self.output = output
  }

  /// Writes the homework's submission, and the logits if they are wanted.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    _ = try communicator.onRankZero { try checkOutputs() }
    let trained = try TrainedModel(source, overrides: overrides, communicator, note: console.info)
    let threads = try ThreadCount.resolve(threads, communicator)
    KernelSet.start()
    let corpus = try communicator.agreeing {
      let corpus = try Corpus.open(data)
      try trained.check(corpus, warn: console.warning)
      return corpus
    }
    try communicator.checkSameData(corpus.testFingerprint, data)
    let predictor = Predictor(
      communicator: communicator, model: trained.model, state: trained.state, corpus: corpus,
      normalization: trained.configuration.features.meanNormalization, team: EvaluationTeam(threads: threads))
    let all = try predictor(threads: threads, console: console)
    try communicator.agreeing {
      guard let all, let tests = corpus.tests else { return }
      let speakers = trained.model.speakers
      try OutputFiles.write(Self.submission(all, tests, corpus.speakers), to: output, console)
      if let logits {
        let tensor = Tensor(float32: all, shape: [tests.count, speakers])
        try OutputFiles.write(Safetensors.serialize(NamedTensors([("logits", tensor)])), to: logits, console)
      }
    }
    let place = OutputFiles.isStandardOutput(output) ? "standard output" : output
    console.info("\(corpus.tests?.count ?? 0) predictions with \(trained.file) are in \(place)")
  }

  /// `Id,Category` and a row an utterance, in `testdata.json`'s order, lines ended as Python's csv ends them.
  private static func submission(_ logits: [Float], _ tests: [Utterance], _ speakers: [String]) -> [UInt8] {
    var text = "Id,Category\r\n"
    for (index, test) in tests.enumerated() {
      let row = logits[index * speakers.count..<(index + 1) * speakers.count]
      var best = row.startIndex
      for place in row.indices where row[place] > row[best] { best = place }
      text += "\(csvField(test.path)),\(csvField(speakers[best - row.startIndex]))\r\n"
    }
    return Array(text.utf8)
  }

  /// Quoted where Python's csv quotes: RFC 4180.
  private static func csvField(_ text: String) -> String {
    guard text.utf8.contains(where: { ",\"\r\n".utf8.contains($0) }) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
  }

  private func checkOutputs() throws {
    var run: String?
    var files: [OutputFiles.Named?] = []
    switch source {
    case .run(let path, _): run = path
    case .file(let weights, let configurations):
      files = [("--weights", weights)] + configurations.map { ("--config", $0) }
    }
    try OutputFiles([("--output", output), logits.map { ("--logits", $0) }])
      .check(reading: files, data: data, run: run)
  }
}
