import Diagnostics
import Foundation
import TestSupport
import Testing

import Verification

@Suite("The metrics of verification") struct MetricTests {
  static let targets = [0.95, 0.86, 0.82, 0.80, 0.67, 0.58, 0.37]
  static let nontargets = [0.69, 0.61, 0.59, 0.55, 0.45, 0.43, 0.36, 0.29, 0.20, 0.16, 0.14, 0.10, 0.05]

  @Test("twenty scores have the equal error rates of the line and of the hull") func equalErrorRates() throws
  {
    let scores = try DetectionScores(targets: Self.targets, nontargets: Self.nontargets)
    #expect(abs(scores.equalErrorRate.rate - 3.0 / 13) < 1e-12)
    #expect(scores.equalErrorRate.threshold == 0.58)
    #expect(abs(scores.equalErrorRateOfHull - 0.185185185185) < 1e-9)
    let tied = try DetectionScores(
      targets: Self.targets.map { $0 == 0.58 ? 0.59 : $0 }, nontargets: Self.nontargets)
    #expect(abs(tied.equalErrorRate.rate - 0.2) < 1e-12)
    #expect(abs(tied.equalErrorRateOfHull - 0.185185185185) < 1e-9)
  }

  @Test("twenty scores have the detection costs and the costs of likelihood ratios of the references")
  func costs() throws {
    let scores = try DetectionScores(targets: Self.targets, nontargets: Self.nontargets)
    #expect(abs(scores.minimumCost(prior: 0.01) - 0.428571) < 1e-6)
    #expect(abs(scores.minimumCost(prior: 0.05) - 0.428571) < 1e-6)
    #expect(abs(scores.minimumCost(prior: 0.5) - 0.362637) < 1e-6)
    let ratios = try DetectionScores(
      targets: Self.targets.map { 10 * $0 - 5 }, nontargets: Self.nontargets.map { 10 * $0 - 5 })
    #expect(abs(ratios.likelihoodRatioCost - 0.615387) < 1e-6)
    #expect(abs(ratios.minimumLikelihoodRatioCost - 0.430132) < 1e-6)
    #expect(abs(ratios.actualCost(prior: 0.01) - 1) < 1e-12)
    #expect(abs(ratios.actualCost(prior: 0.05) - 0.428571) < 1e-6)
    #expect(abs(ratios.actualCost(prior: 0.5) - 0.450549) < 1e-6)
  }

  @Test("equal scores tell nothing: every rate is a half, and every cost that of knowing nothing")
  func allEqual() throws {
    let scores = try DetectionScores(targets: [0, 0, 0], nontargets: [0, 0, 0, 0])
    #expect(scores.equalErrorRate == .init(rate: 0.5, threshold: 0))
    #expect(scores.equalErrorRateOfHull == 0.5)
    #expect(scores.minimumCost(prior: 0.01) == 1)
    #expect(abs(scores.likelihoodRatioCost - 1) < 1e-12)
    #expect(abs(scores.minimumLikelihoodRatioCost - 1) < 1e-12)
  }

  @Test("scores that tell all apart have no error, and those that tell them wrongly all of it")
  func extremes() throws {
    let right = try DetectionScores(targets: [3, 4], nontargets: [1, 2])
    #expect(right.equalErrorRate == .init(rate: 0, threshold: 2))
    #expect(right.equalErrorRateOfHull == 0)
    #expect(right.minimumCost(prior: 0.01) == 0)
    #expect(right.minimumLikelihoodRatioCost == 0)
    let wrong = try DetectionScores(targets: [1, 2], nontargets: [3, 4])
    #expect(wrong.equalErrorRate.rate == 1)
    #expect(wrong.equalErrorRateOfHull == 0.5)
    #expect(wrong.minimumCost(prior: 0.01) == 1)
    #expect(abs(wrong.minimumLikelihoodRatioCost - 1) < 1e-12)
  }

  @Test("a list of one kind is refused in a line, and so is what is no number") func oneKind() {
    expectFailure(saying: "no nontarget trials (2 targets") {
      try DetectionScores(targets: [1, 2], nontargets: [])
    }
    expectFailure(saying: "no target trials") { try DetectionScores(targets: [], nontargets: [1]) }
    expectFailure(saying: "no trials at all") { try DetectionScores(targets: [], nontargets: []) }
    expectFailure(saying: "not a finite number") { try DetectionScores(targets: [.nan], nontargets: [1]) }
    expectFailure(saying: "not a finite number") {
      try DetectionScores(targets: [1], nontargets: [.infinity])
    }
  }

  /// Figures that any increasing function of the scores leaves as they are.
  private func invariant(_ scores: DetectionScores) -> [Double] {
    [
      scores.equalErrorRate.rate, scores.equalErrorRateOfHull, scores.minimumCost(prior: 0.01),
      scores.minimumCost(prior: 0.05), scores.minimumLikelihoodRatioCost,
    ]
  }

  @Test(
    "figures do not depend on the order of trials nor on an increasing function; ties included, each is within its bounds"
  )
  func invariance() throws {
    var random = SeededGenerator(seed: 15)
    for _ in 0..<200 {
      let count = Int.random(in: 2...60, using: &random)
      // Few values make many ties.
      let values = Int.random(in: 1...30, using: &random)
      var labels = (0..<count).map { _ in Bool.random(using: &random) }
      (labels[0], labels[1]) = (true, false)
      let scores = labels.map { Double(Int.random(in: 0...values, using: &random)) / 8 + ($0 ? 0.5 : 0) }
      let figures = try invariant(DetectionScores(scores, isTarget: labels))
      let order = Array(scores.indices).shuffled(using: &random)
      #expect(
        try invariant(DetectionScores(order.map { scores[$0] }, isTarget: order.map { labels[$0] }))
          == figures)
      #expect(try invariant(DetectionScores(scores.map { exp($0) * 3 - 7 }, isTarget: labels)) == figures)
      let detection = try DetectionScores(scores, isTarget: labels)
      #expect(figures[1] <= figures[0] + 1e-12 && figures[1] <= 0.5)
      #expect(figures[2...].allSatisfy { (0...1 + 1e-12).contains($0) })
      #expect(detection.actualCost(prior: 0.05) >= figures[3] - 1e-12)
      #expect(detection.likelihoodRatioCost >= figures[4] - 1e-12)
      // Targets and nontargets, and the sign, exchanged: the same line, seen from the other side.
      let mirrored = try DetectionScores(scores.map { -$0 }, isTarget: labels.map { !$0 })
      #expect(abs(mirrored.equalErrorRate.rate - figures[0]) < 1e-12)
      #expect(abs(mirrored.equalErrorRateOfHull - figures[1]) < 1e-12)
      #expect(abs(mirrored.minimumLikelihoodRatioCost - figures[4]) < 1e-12)
    }
  }

  @Test("the hull's figures are those of all pairs of operating points, tried one by one") func bruteForce()
    throws
  {
    var random = SeededGenerator(seed: 16)
    for _ in 0..<60 {
      let targets = (0..<Int.random(in: 1...9, using: &random)).map { _ in
        Double(Int.random(in: 3...12, using: &random))
      }
      let others = (0..<Int.random(in: 1...9, using: &random)).map { _ in
        Double(Int.random(in: 0...9, using: &random))
      }
      let scores = try DetectionScores(targets: targets, nontargets: others)
      let points = scores.operatingPoints.map { (scores.missRate($0), scores.falseAlarmRate($0)) }
      // The lowest crossing of the diagonal by a line between two points, one on each side of it.
      var lowest = 1.0
      for a in points where a.0 <= a.1 {
        for b in points where b.0 >= b.1 {
          let gaps = (a.0 - a.1, b.0 - b.1)
          let part = gaps.0 == gaps.1 ? 0 : -gaps.0 / (gaps.1 - gaps.0)
          lowest = min(lowest, a.0 + part * (b.0 - a.0))
        }
      }
      #expect(abs(scores.equalErrorRateOfHull - lowest) < 1e-12)
      let costs = points.map { (0.01 * $0.0 + 0.99 * $0.1) / 0.01 }
      #expect(abs(scores.minimumCost(prior: 0.01) - costs.min()!) < 1e-12)
    }
  }

  @Test("half a million trials are judged, with a hull of few corners") func millions() throws {
    var random = SeededGenerator(seed: 17)
    let nontargets = (0..<450_000).map { _ in Double.random(in: 0..<1, using: &random) }
    let targets = (0..<50_000).map { _ in Double.random(in: 0.5..<1.5, using: &random) }
    let scores = try DetectionScores(targets: targets, nontargets: nontargets)
    // Uniform: the threshold 0.75 misses a quarter and lets a quarter in.
    #expect(abs(scores.equalErrorRate.rate - 0.25) < 0.005)
    #expect(abs(scores.equalErrorRate.threshold - 0.75) < 0.005)
    #expect(scores.convexHull.count < 3_000)
  }
}
