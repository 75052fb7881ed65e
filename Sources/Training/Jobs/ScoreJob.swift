import Collectives
import Diagnostics
import Foundation
import TensorCore
import TensorFiles
import Verification

/// The options of `score`, and the work: how alike the recordings of each trial are, and how well that tells whether
/// they are of one person.
public struct ScoreJob: Job {
  /// The embeddings, in any format.
  public var embeddings: String
  /// The trials, in any form.
  public var trials: String
  /// Embeddings of other people, by which AS-norm normalises; nil for none.
  public var cohort: String?
  /// How many of the cohort's largest cosines count.
  public var top = 300
  /// How the deviation of those is taken.
  public var deviation = CohortStatistics.Deviation.biased
  /// Embeddings whose mean is taken off all others first; nil for none.
  public var mean: String?
  /// A calibration, which makes log-likelihood ratios of the scores; nil for none.
  public var calibration: String?
  /// Where the scores go; `-` for standard output, nil for nowhere.
  public var output: String?
  /// Whether the figures are one JSON object.
  public var json = false
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Scores `trials` by `embeddings`.
  public init(embeddings: String, trials: String) {
    self.embeddings = embeddings
    self.trials = trials
  }

  /// Writes the scores and tells the figures. The cohort is shared out over the ranks.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    _ = try communicator.onRankZero {
      guard top > 1 else { throw Failure(.usage, "--top: expected 2 or more, found \(top)") }
      try checkOutput()
    }
    let threads = try ThreadCount.resolve(threads, communicator)
    let (list, scorer, others) = try communicator.agreeing { try read() }
    let statistics = try others.map {
      try self.statistics(scorer, list.names, $0, threads: threads, communicator, console)
    }
    _ = try communicator.onRankZero {
      let calibration = try calibration.map { try Calibration(reading: $0) }
      let scores = (0..<list.count).map { trial in
        let (enrol, test) = (Int(list.enrol[trial]), Int(list.test[trial]))
        var score = scorer(enrol, test)
        if let statistics {
          score = CohortStatistics.normalized(score, enrol: statistics[enrol], test: statistics[test])
        }
        return calibration?(score) ?? score
      }
      let scored = ScoreList(list, scores: scores)
      if let output { try OutputFiles.write(scored.serialized, to: output, console) }
      let figures = try VerificationFigures(naming(trials) { try scored.detectionScores() })
      try figures.tell(
        on: console, json: json, keepsOutput: output.map(OutputFiles.isStandardOutput) ?? false)
    }
  }

  // MARK: What is read

  /// The trials, and a vector for each of their names; the cohort's vectors.
  private func read() throws -> (TrialList, CosineScorer, CosineScorer?) {
    let list = try TrialList(reading: trials)
    let set = try EmbeddingSet(reading: embeddings)
    let rows = list.names.map { set.row(of: $0) }
    if let first = rows.firstIndex(of: nil) {
      let missing = rows.count { $0 == nil }
      let more = missing == 1 ? "" : ", nor are \(missing - 1) other names of the list"
      throw Failure(
        .badData,
        "\(trials):\(list.lines[first]): \(list.names[first].quoted) is not among the \(set.count) keys of"
          + " \(embeddings) (\(set.keys.prefix(2).map(\.quoted).joined(separator: ", ")), …)\(more)")
    }
    let mean = try mean.map { try EmbeddingSet.mean(reading: $0, flag: "--mean") }
    let scorer = try CosineScorer(set, rows: rows.compactMap(\.self), mean: mean, source: embeddings)
    guard let cohort else { return (list, scorer, nil) }
    let others = try EmbeddingSet(reading: cohort, flag: "--cohort")
    guard others.width == set.width else {
      throw Failure(
        .badData, "\(cohort): embeddings have \(others.width) values, those of \(embeddings) \(set.width)")
    }
    guard others.count > 1 else {
      throw Failure(.badData, "\(cohort): has one embedding; a cohort is of two at least, hundreds are usual")
    }
    return (list, scorer, try CosineScorer(others, rows: Array(0..<others.count), mean: mean, source: cohort))
  }

  /// What the cohort is like to each name of the trials. Collective.
  private func statistics<C: Communicator>(
    _ scorer: CosineScorer, _ names: [String], _ cohort: CosineScorer, threads: Int, _ communicator: C,
    _ console: Console
  ) throws -> [CohortStatistics] {
    if cohort.count < top { console.info("The cohort has \(cohort.count) embeddings: all of them count") }
    let bounds = (0...communicator.size).map { scorer.count * $0 / communicator.size }
    let mine = bounds[communicator.rank]..<bounds[communicator.rank + 1]
    var part = [CohortStatistics](repeating: CohortStatistics(mean: 0, deviation: 0), count: mine.count)
    let team = ThreadTeam(workers: threads, seats: threads)
    part.withUnsafeMutableBufferPointer { part in
      team.forEach(mine.count) { item, _ in
        part[item] = CohortStatistics(
          mine.lowerBound + item, of: scorer, cohort: cohort, top: top, deviation)
      }
    }
    var all = [CohortStatistics](repeating: CohortStatistics(mean: 0, deviation: 0), count: scorer.count)
    let size = MemoryLayout<CohortStatistics>.stride
    try part.withUnsafeBytes { part in
      try all.withUnsafeMutableBytes { all in
        try communicator.allGather(
          part, into: all, counts: zip(bounds, bounds.dropFirst()).map { ($1 - $0) * size })
      }
    }
    if let row = all.firstIndex(where: { !($0.deviation > 0) }) {
      throw Failure(
        .badData,
        "\(self.cohort ?? ""): the cohort's cosines with \(names[row].quoted) are all the same: nothing can be"
          + " normalised by them; are its embeddings of different people?")
    }
    return all
  }

  private func checkOutput() throws {
    if json, let output, OutputFiles.isStandardOutput(output) {
      throw Failure(.usage, "--output -: with --json the figures are on standard output; expected a file")
    }
    try OutputFiles([output.map { ("--output", $0) }]).check(reading: [
      ("--embeddings", embeddings), ("--trials", trials), cohort.map { ("--cohort", $0) },
      mean.map { ("--mean", $0) }, calibration.map { ("--calibration", $0) },
    ])
  }
}

/// A failure of `body` with the file in front that it is about.
func naming<Value>(_ file: String, _ body: () throws -> Value) throws -> Value {
  do { return try body() } catch let failure as Failure {
    throw Failure(failure.kind, "\(file): \(failure.message)")
  }
}
