import Collectives
import Diagnostics
import SpeechData
import TensorCore
import TensorFiles

extension PredictJob {
  /// Writes the homework's submission, and the logits if they are wanted.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    let trained = try TrainedModel(source, overrides: overrides, group, note: console.info)
    let threads = try ThreadCount.resolve(threads, group)
    KernelSet.start()
    let corpus = try group.agreeing {
      let corpus = try Corpus.open(data)
      try trained.check(speakers: corpus.speakers.count, of: data)
      if group.rank == 0 { try checkWritable() }
      return corpus
    }
    try group.checkSameData(corpus.testFingerprint, data)
    let predictor = Predictor(
      communicator: group, model: trained.model, state: trained.state, corpus: corpus,
      team: EvaluationTeam(threads: threads))
    let all = try predictor(threads: threads, console: console)
    try group.agreeing {
      guard let all, let tests = corpus.tests else { return }
      let speakers = trained.model.speakers
      try FileWriting.writeAtomically(Self.submission(all, tests, corpus.speakers), to: output)
      if let logits {
        let tensor = Tensor(float32: all, shape: [tests.count, speakers])
        try Safetensors.write(NamedTensors([("logits", tensor)]), to: logits)
      }
    }
    console.info("\(corpus.tests?.count ?? 0) predictions with \(trained.file) are in \(output)")
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

  /// Before the work: a result that cannot be written is known at once.
  private func checkWritable() throws {
    for path in [output, logits].compactMap({ $0 }) { try FileSystem.checkWritable(path) }
  }
}
