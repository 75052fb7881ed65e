import Diagnostics
import Foundation
import TensorFiles
import TestSupport
import Testing

import Verification

@Suite("Scores of embeddings") struct ScoringTests {
  private func set(_ rows: [[Float]]) throws -> EmbeddingSet {
    try EmbeddingSet(
      keys: rows.indices.map { "k\($0)" }, width: rows[0].count, values: rows.flatMap(\.self), source: "test")
  }

  @Test("cosines are those of the formula, with and without a mean, at any length of the vectors")
  func cosine() throws {
    let embeddings = try set([
      [3, 4, 0], [4, 3, 0], [-3, -4, 0], [0, 0, 2], [1e-20, 0, 0], [3e18, 4e18, 0],
    ])
    let scorer = try CosineScorer(embeddings, rows: Array(0..<6), mean: nil, source: "test")
    #expect(abs(scorer(0, 1) - 0.96) < 1e-12)
    #expect(scorer(0, 2) == -1 && scorer(0, 3) == 0)
    #expect(abs(scorer(0, 4) - 0.6) < 1e-12 && abs(scorer(0, 5) - 1) < 1e-12)
    let centered = try CosineScorer(embeddings, rows: [0, 1], mean: [3, 3, 0], source: "test")
    #expect(centered(0, 1) == 0)
  }

  @Test("a vector without a direction is named, and a mean of another width") func zero() throws {
    let embeddings = try set([[1, 2], [0, 0]])
    expectFailure(saying: "\"k1\" is zero: it has no direction") {
      try CosineScorer(embeddings, rows: [0, 1], mean: nil, source: "test")
    }
    expectFailure(saying: "\"k0\" is zero without the mean") {
      try CosineScorer(embeddings, rows: [0], mean: [1, 2], source: "test")
    }
    expectFailure(saying: "have 2 values, the mean to be taken off has 3") {
      try CosineScorer(embeddings, rows: [0], mean: [1, 2, 3], source: "test")
    }
  }

  @Test(
    "of five cosines with a cohort the largest three are taken, with WeSpeaker's deviation or SpeechBrain's")
  func statistics() {
    let cosines = [0.3, 0.5, 0.1, 0.4, 0.2]
    let biased = CohortStatistics(cosines, top: 3)
    #expect(abs(biased.mean - 0.4) < 1e-12 && abs(biased.deviation - 0.081650) < 1e-6)
    #expect(abs(CohortStatistics(cosines, top: 3, .unbiased).deviation - 0.1) < 1e-12)
    #expect(CohortStatistics(cosines, top: 300) == CohortStatistics(cosines, top: 5))
    let score = CohortStatistics.normalized(
      0.8, enrol: biased, test: CohortStatistics(cosines, top: 3, .unbiased))
    #expect(abs(score - (0.4 / 0.0816496580928 + 4) / 2) < 1e-9)
  }

  @Test("the calibration of scores that are likelihood ratios already leaves them alone") func identity()
    throws
  {
    // Normal densities at ±1 with variance 2: the log-likelihood ratio of a score is the score.
    var random = SeededGenerator(seed: 3)
    func normal() -> Double {
      let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &random))).squareRoot()
      return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &random))
    }
    let targets = (0..<20_000).map { _ in 1 + 2.0.squareRoot() * normal() }
    let nontargets = (0..<80_000).map { _ in -1 + 2.0.squareRoot() * normal() }
    let fit = try Calibration.fit(DetectionScores(targets: targets, nontargets: nontargets))
    #expect(!fit.isSeparable)
    #expect(abs(fit.calibration.scale - 1) < 0.03 && abs(fit.calibration.offset) < 0.03)
    // Of another scale and offset the same ratios come out.
    let moved = try Calibration.fit(
      DetectionScores(targets: targets.map { 250 * $0 + 3e5 }, nontargets: nontargets.map { 250 * $0 + 3e5 }))
    for score in [-2.0, 0, 3] {
      #expect(abs(moved.calibration(250 * score + 3e5) - fit.calibration(score)) < 1e-6)
    }
    #expect(abs(fit.calibration.score(of: fit.calibration(0.7)) - 0.7) < 1e-12)
  }

  @Test("no scale and offset near those of the fit cost less") func minimum() throws {
    let fit = try Calibration.fit(
      DetectionScores(targets: MetricTests.targets, nontargets: MetricTests.nontargets))
    func cost(_ calibration: Calibration) throws -> Double {
      try DetectionScores(
        targets: MetricTests.targets.map { calibration($0) },
        nontargets: MetricTests.nontargets.map { calibration($0) }
      ).likelihoodRatioCost
    }
    let least = try cost(fit.calibration)
    for (a, b) in [(1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3), (1e-3, -1e-3)] {
      let other = Calibration(scale: fit.calibration.scale + a, offset: fit.calibration.offset + b)
      #expect(try cost(other) > least)
    }
  }

  @Test("scores that tell all apart get a finite calibration in the right direction, equal ones none")
  func separable() throws {
    let fit = try Calibration.fit(DetectionScores(targets: [0.7, 0.8], nontargets: [0.1, 0.2, 0.3]))
    #expect(fit.isSeparable && fit.calibration.scale > 0)
    #expect(fit.calibration(0.7) > 0 && fit.calibration(0.3) < 0)
    let wrong = try Calibration.fit(DetectionScores(targets: [0.1], nontargets: [0.2]))
    #expect(wrong.calibration.scale < 0)
    expectFailure(saying: "all scores are 0.5") {
      try Calibration.fit(DetectionScores(targets: [0.5], nontargets: [0.5, 0.5]))
    }
    let huge = try Calibration.fit(
      DetectionScores(targets: [1e300, 3e300, 8e300], nontargets: [-1e300, 2e300]))
    #expect(huge.calibration.scale > 0 && huge.calibration.offset.isFinite)
  }

  @Test("a calibration is read as it was written, and what is none is refused") func file() throws {
    let folder = TemporaryFolder()
    let calibration = Calibration(scale: 12.345678901234567, offset: -5.1)
    let path = try folder.write(calibration.text(JSONObject([("trials", 12)])), to: "c.json")
    #expect(try Calibration(reading: path) == calibration)
    for (text, words) in [
      ("{}", "is no calibration"), ("[1", "c.json"),
      (#"{"format": "speakerid-dist calibration", "scale": "2", "offset": 1}"#, "scale: expected a number"),
    ] {
      try folder.write(text, to: "c.json")
      expectFailure(saying: words) { try Calibration(reading: path) }
    }
    expectFailure(.missingInput, saying: "no such file") { try Calibration(reading: folder("gone")) }
  }
}
