import SpeechData

extension CorpusSynthesizer {
  /// Writes some of the corpus's utterances, with a progress line.
  func write(_ utterances: Range<Int>, to directory: String, threads: Int, console: Console) throws {
    try console.progress("Synthesize", unit: "uttr", total: utterances.count) { bar in
      try write(utterances: utterances, to: directory, threads: threads) { done, _ in bar.reach(done) }
    }
  }
}
