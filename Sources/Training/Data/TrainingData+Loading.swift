extension TrainingData {
  /// Reads and verifies the frames of a rank's shards, with a progress line.
  package func prepare(_ run: Range<Int>, threads: Int, console: Console) throws {
    let total = run.reduce(0) { $0 + training[$1].count + validation[$1].count }
    try show(total, console) { progress in
      try corpus.prepare(shards: run, of: shards, threads: threads, progress: progress)
    }
  }

  /// Reads and verifies what a rank needs for a validation, with a progress line.
  func prepareValidation(_ run: Range<Int>, threads: Int, console: Console) throws {
    let utterances = run.flatMap { validation[$0] }.map { split.validation[$0] }
    try show(utterances.count, console) { progress in
      try corpus.prepare(utterances, threads: threads, progress: progress)
    }
  }

  private func show(
    _ total: Int, _ console: Console, _ load: (_ progress: (_ done: Int, _ total: Int) -> Void) throws -> Void
  ) throws {
    try console.progress("Load", unit: "uttr", total: total) { bar in
      try load { done, _ in bar.reach(done) }
    }
  }
}
