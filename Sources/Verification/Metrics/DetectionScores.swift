import Diagnostics

/// The scores of a list of trials, those of one person and those of two apart, each in ascending order.
///
/// A trial is accepted where its score is greater than the threshold. So a threshold of a score itself misses the
/// targets up to it, and equal scores are never told apart: no figure depends on the order of the trials.
public struct DetectionScores: Sendable {
  /// Scores of trials of one person, ascending.
  public let targets: [Double]
  /// Scores of trials of two, ascending.
  public let nontargets: [Double]

  /// - Throws: `badData` without a target or without a nontarget, and for a score that is not a finite number.
  public init(targets: [Double], nontargets: [Double]) throws(Failure) {
    guard !targets.isEmpty, !nontargets.isEmpty else {
      let what =
        targets.isEmpty ? nontargets.isEmpty ? "no trials at all" : "no target trials" : "no nontarget trials"
      throw Failure(
        .badData,
        "\(what) (\(targets.count) targets, \(nontargets.count) nontargets): error rates need some of both")
    }
    guard targets.allSatisfy(\.isFinite), nontargets.allSatisfy(\.isFinite) else {
      throw Failure(.badData, "a score is not a finite number")
    }
    self.targets = targets.sorted()
    self.nontargets = nontargets.sorted()
  }

  /// Scores and what each trial is, in any order.
  ///
  /// - Precondition: as many labels as scores.
  /// - Throws: as ``init(targets:nontargets:)``.
  public init(_ scores: [Double], isTarget: [Bool]) throws(Failure) {
    precondition(scores.count == isTarget.count, "a label for every score")
    var targets: [Double] = [], nontargets: [Double] = []
    for (score, isTarget) in zip(scores, isTarget) {
      if isTarget { targets.append(score) } else { nontargets.append(score) }
    }
    try self.init(targets: targets, nontargets: nontargets)
  }

  /// Trials in all.
  public var count: Int { targets.count + nontargets.count }
}

extension DetectionScores {
  /// What a threshold does: how many targets it misses and how many nontargets it lets in.
  public struct OperatingPoint: Equatable, Sendable {
    /// Accepted is what scores more.
    public let threshold: Double
    /// Targets that are not accepted.
    public let misses: Int
    /// Nontargets that are accepted.
    public let falseAlarms: Int
  }

  /// Every operating point, the threshold rising: one below all scores, and each score once.
  public struct OperatingPoints: Sequence, IteratorProtocol, Sendable {
    private let scores: DetectionScores
    /// How many of each are not accepted.
    private var targets = 0, nontargets = 0
    private var isFirst = true

    fileprivate init(_ scores: DetectionScores) { self.scores = scores }

    /// The next one.
    public mutating func next() -> OperatingPoint? {
      if isFirst {
        isFirst = false
        return point(-.infinity)
      }
      let target = targets < scores.targets.count ? scores.targets[targets] : .infinity
      let nontarget = nontargets < scores.nontargets.count ? scores.nontargets[nontargets] : .infinity
      let threshold = Swift.min(target, nontarget)
      guard threshold < .infinity else { return nil }
      while targets < scores.targets.count, scores.targets[targets] == threshold { targets += 1 }
      while nontargets < scores.nontargets.count, scores.nontargets[nontargets] == threshold {
        nontargets += 1
      }
      return point(threshold)
    }

    private func point(_ threshold: Double) -> OperatingPoint {
      OperatingPoint(
        threshold: threshold, misses: targets, falseAlarms: scores.nontargets.count - nontargets)
    }
  }

  /// See ``OperatingPoints``. They are made as they are asked for: O(trials) in all, and no memory.
  public var operatingPoints: OperatingPoints { OperatingPoints(self) }

  /// The share of targets that an operating point misses.
  public func missRate(_ point: OperatingPoint) -> Double { Double(point.misses) / Double(targets.count) }

  /// The share of nontargets that an operating point lets in.
  public func falseAlarmRate(_ point: OperatingPoint) -> Double {
    Double(point.falseAlarms) / Double(nontargets.count)
  }

  /// What a threshold does.
  public func operatingPoint(at threshold: Double) -> OperatingPoint {
    OperatingPoint(
      threshold: threshold, misses: targets.count { $0 <= threshold },
      falseAlarms: nontargets.count { $0 > threshold })
  }
}
