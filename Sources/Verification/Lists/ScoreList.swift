import Diagnostics
import Foundation

/// Trials and the score of each, as files hold them.
///
/// What is written is WeSpeaker's form, `enrol test score target|nontarget`, with nine digits. What is read is that, also
/// with further columns behind it, and 3D-Speaker's and SpeechBrain's, the label before the score, words or 1 and 0.
public struct ScoreList: Equatable, Sendable {
  /// The trials.
  public private(set) var trials = TrialList()
  /// The score of each.
  public private(set) var scores: [Double] = []

  /// Scores of trials.
  ///
  /// - Precondition: as many as trials.
  public init(_ trials: TrialList, scores: [Double]) {
    precondition(trials.count == scores.count, "a score for every trial")
    self.trials = trials
    self.scores = scores
  }

  /// Those of targets and of nontargets.
  ///
  /// - Throws: as ``DetectionScores/init(targets:nontargets:)``.
  public func detectionScores() throws(Failure) -> DetectionScores {
    try DetectionScores(scores, isTarget: trials.isTarget)
  }

  /// The bytes of a file.
  public var serialized: [UInt8] {
    var bytes: [UInt8] = []
    for index in scores.indices {
      bytes += trials.names[Int(trials.enrol[index])].utf8
      bytes.append(UInt8(ascii: " "))
      bytes += trials.names[Int(trials.test[index])].utf8
      bytes += String(format: " %.9g ", scores[index]).utf8
      bytes += (trials.isTarget[index] ? "target\n" : "nontarget\n").utf8
    }
    return bytes
  }

  // MARK: Reading

  /// Which column holds what.
  private enum Form: CaseIterable {
    case scoreThenWord, wordThenScore, digitThenScore, scoreThenDigit

    func parse(_ fields: [Substring]) -> (score: Double, isTarget: Bool)? {
      guard fields.count >= 4 else { return nil }
      let label: (Substring) -> Bool? =
        switch self {
        case .scoreThenWord, .wordThenScore: { $0 == "target" ? true : $0 == "nontarget" ? false : nil }
        case .digitThenScore, .scoreThenDigit: { $0 == "1" ? true : $0 == "0" ? false : nil }
        }
      let isScoreFirst = self == .scoreThenWord || self == .scoreThenDigit
      guard let isTarget = label(fields[isScoreFirst ? 3 : 2]),
        let score = Double(fields[isScoreFirst ? 2 : 3]),
        score.isFinite
      else { return nil }
      return (score, isTarget)
    }
  }

  /// Reads a file.
  ///
  /// - Throws: `missingInput`, `inputOutput`; `badData` that names file and line for a line that is no scored trial, or
  ///   one of another form than those before, and for a file without any.
  public init(reading path: String) throws(Failure) {
    var forms = Form.allCases
    var lines = try TextLines(path)
    // Until one line decides, the first form stands for all that are possible: they differ only where a score is 0 or 1.
    var undecided: [TextLines.Line] = []
    while let line = try lines.next() {
      forms = forms.filter { $0.parse(line.fields) != nil }
      guard let form = forms.first else {
        throw Failure(
          .badData,
          "\(path):\(line.number): expected 'enrol test score target|nontarget' or 'enrol test 1|0 score', as on every"
            + " line, found \(line.fields.joined(separator: " ").quoted)")
      }
      if forms.count > 1, undecided.count < Self.mostUndecided {
        undecided.append(line)
        continue
      }
      forms = [form]
      for line in undecided { append(line, form) }
      undecided = []
      append(line, form)
    }
    guard let form = forms.first, !undecided.isEmpty || trials.count > 0 else {
      throw Failure(.badData, "\(path): holds no scores")
    }
    for line in undecided { append(line, form) }
  }

  private static let mostUndecided = 10_000

  private mutating func append(_ line: TextLines.Line, _ form: Form) {
    guard let (score, isTarget) = form.parse(line.fields) else { return }
    trials.append(line.fields[0], line.fields[1], isTarget: isTarget, line: line.number)
    scores.append(score)
  }
}
