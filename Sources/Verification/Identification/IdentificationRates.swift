/// How well the speakers of probes are found among those that are enrolled: closed set, all probes are of one of them,
/// and open set, some are of nobody (ISO/IEC 19795-1).
public struct IdentificationRates: Sendable {
  /// Of each probe whose speaker is enrolled: that speaker's score, and how many others score as much or more.
  private var enrolled: [(score: Double, rank: Int)] = []
  /// The best score of each other probe, in descending order once it is asked for.
  private var strangers: [Double] = []

  /// No probes yet.
  public init() {}

  /// Adds a probe.
  ///
  /// - Parameters:
  ///   - scores: for each enrolled speaker; not empty, and finite.
  ///   - speaker: who it is; nil for nobody who is enrolled.
  public mutating func add(_ scores: [Double], speaker: Int?) {
    precondition(!scores.isEmpty, "nobody is enrolled")
    guard let speaker else { return strangers.append(scores.max()!) }
    // Of equal scores the true one comes last: what chance decides is no success.
    let rank = scores.count { $0 >= scores[speaker] } - 1
    enrolled.append((scores[speaker], rank))
  }

  /// The share of enrolled probes whose speaker is among the first `count`; nil without such probes.
  public func accuracy(top count: Int = 1) -> Double? {
    enrolled.isEmpty ? nil : Double(enrolled.count { $0.rank < count }) / Double(enrolled.count)
  }

  /// FPIR: the share of strangers for whom any speaker scores the threshold or more; nil without strangers.
  public func falsePositiveRate(threshold: Double) -> Double? {
    strangers.isEmpty ? nil : Double(strangers.count { $0 >= threshold }) / Double(strangers.count)
  }

  /// FNIR: the share of enrolled probes whose speaker scores less than the threshold or is not among the first `count`;
  /// nil without such probes.
  public func falseNegativeRate(threshold: Double, top count: Int = 1) -> Double? {
    guard !enrolled.isEmpty else { return nil }
    return Double(enrolled.count { $0.score < threshold || $0.rank >= count }) / Double(enrolled.count)
  }

  /// The lowest threshold at which no more than that share of strangers is taken for somebody; nil without strangers.
  public func threshold(falsePositiveRate share: Double) -> Double? {
    guard !strangers.isEmpty else { return nil }
    let allowed = Int((share * Double(strangers.count) + 1e-9).rounded(.down))
    guard allowed < strangers.count else { return -.infinity }
    return strangers.sorted(by: >)[allowed].nextUp
  }
}
