import Foundation

extension DetectionScores {
  /// Where as large a share of the targets is missed as of the nontargets is let in.
  public struct EqualErrorRate: Equatable, Sendable {
    /// The share, 0 ... 1.
    public let rate: Double
    /// The lowest score that misses at least as large a share of the targets as it lets in of the nontargets.
    public let threshold: Double

    package init(rate: Double, threshold: Double) {
      self.rate = rate
      self.threshold = threshold
    }
  }

  /// The equal error rate on the straight line between the two operating points around it, scores that are equal taken
  /// together: `compute_eer` of WeSpeaker's `score_metrics.py` where all scores differ.
  public var equalErrorRate: EqualErrorRate {
    var before = OperatingPoint(threshold: -.infinity, misses: 0, falseAlarms: nontargets.count)
    for point in operatingPoints {
      // Rates compared as whole numbers: misses / targets ≥ falseAlarms / nontargets.
      guard point.misses * nontargets.count >= point.falseAlarms * targets.count else {
        before = point
        continue
      }
      let gap = missRate(point) - falseAlarmRate(point)
      let gapBefore = missRate(before) - falseAlarmRate(before)
      let part = gap == gapBefore ? 0 : -gapBefore / (gap - gapBefore)
      let rate = missRate(before) + part * (missRate(point) - missRate(before))
      return EqualErrorRate(rate: rate, threshold: point.threshold)
    }
    preconditionFailure("above all scores every target is missed")
  }

  /// The equal error rate of the convex hull of the operating points: the best that any threshold of any increasing
  /// function of the score can be made to give (ROCCH-EER of Brümmer's BOSARIS and PYLLR).
  public var equalErrorRateOfHull: Double {
    // On the hull, from the side of all accepted to that of none; the line meets the diagonal in one segment.
    let hull = convexHull
    for (before, point) in zip(hull, hull.dropFirst())
    where point.misses * nontargets.count >= point.falseAlarms * targets.count {
      let gap = missRate(point) - falseAlarmRate(point)
      let gapBefore = missRate(before) - falseAlarmRate(before)
      return missRate(before) - gapBefore / (gap - gapBefore) * (missRate(point) - missRate(before))
    }
    preconditionFailure("the hull ends where every target is missed")
  }

  /// The corners of the lower convex hull of (misses, false alarms), the threshold rising: from none missed to none let
  /// in.
  package var convexHull: [OperatingPoint] {
    var hull: [OperatingPoint] = []
    for point in operatingPoints {
      while hull.count > 1, !Self.bends(hull[hull.count - 2], hull[hull.count - 1], point) {
        hull.removeLast()
      }
      hull.append(point)
    }
    return hull
  }

  /// Whether three points in order turn left, so that the middle one is a corner of the lower hull. Exact in 64 bits for
  /// lists of up to three thousand million of each.
  private static func bends(_ a: OperatingPoint, _ b: OperatingPoint, _ c: OperatingPoint) -> Bool {
    (b.misses - a.misses) * (c.falseAlarms - b.falseAlarms) > (b.falseAlarms - a.falseAlarms)
      * (c.misses - b.misses)
  }

  // MARK: The cost of decisions

  /// The detection cost of an operating point, `p·Pmiss + (1 - p)·Pfa`, divided by what is paid without looking at
  /// scores, min(p, 1 - p) (NIST's SRE plans, both costs 1).
  private func cost(_ point: OperatingPoint, prior: Double) -> Double {
    (prior * missRate(point) + (1 - prior) * falseAlarmRate(point)) / min(prior, 1 - prior)
  }

  /// The least detection cost of any threshold, normalised.
  ///
  /// - Parameter prior: how often a trial is a target, 0 < p < 1.
  public func minimumCost(prior: Double) -> Double {
    operatingPoints.lazy.map { cost($0, prior: prior) }.min()!
  }

  /// The detection cost where scores are taken for log-likelihood ratios: that of the threshold ln((1 - p) / p),
  /// normalised.
  ///
  /// - Parameter prior: how often a trial is a target, 0 < p < 1.
  public func actualCost(prior: Double) -> Double {
    cost(operatingPoint(at: log((1 - prior) / prior)), prior: prior)
  }

  // MARK: The cost of log-likelihood ratios

  /// Cllr, in bits: what scores cost as log-likelihood ratios, over all priors (Brümmer and du Preez, Computer Speech
  /// and Language 20, 2006). 1 is what knowing nothing costs.
  public var likelihoodRatioCost: Double {
    let missed = targets.reduce(0) { $0 + Self.softplus(-$1) } / Double(targets.count)
    let accepted = nontargets.reduce(0) { $0 + Self.softplus($1) } / Double(nontargets.count)
    return (missed + accepted) / (2 * log(2))
  }

  /// The least Cllr of any increasing function of the scores: by pool-adjacent-violators, whose pools are the segments
  /// of the convex hull.
  public var minimumLikelihoodRatioCost: Double {
    let hull = convexHull
    var sum = 0.0
    for (before, point) in zip(hull, hull.dropFirst()) {
      let targets = Double(point.misses - before.misses) / Double(targets.count)
      let nontargets = Double(before.falseAlarms - point.falseAlarms) / Double(nontargets.count)
      // A pool of one kind is told without doubt, and costs nothing.
      if targets > 0 { sum += targets * log2(1 + nontargets / targets) }
      if nontargets > 0 { sum += nontargets * log2(1 + targets / nontargets) }
    }
    return sum / 2
  }

  /// ln(1 + eˣ), without overflow.
  static func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
}
