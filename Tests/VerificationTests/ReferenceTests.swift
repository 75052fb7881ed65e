import Diagnostics
import Foundation
import TensorFiles
import TestSupport
import Testing

import Verification

/// Figures of WeSpeaker, PYLLR and SciPy, which scripts/make-verification-fixtures.py asked them for.
@Suite("The figures of the field's programs") struct ReferenceTests {
  private static let fixture = try! JSON.read(
    path: Bundle.module.path(forResource: "Fixtures/reference", ofType: "json")!)

  private static let lists = ["cosines", "ratios", "hard", "few", "ties"]

  @Test("rates and costs are WeSpeaker's and PYLLR's, the calibration SciPy's", arguments: lists)
  func figures(_ name: String) throws {
    let list = try #require(Self.fixture["lists"]?.array?.first { $0["name"]?.string == name })
    let scores = try DetectionScores(
      targets: try #require(list["targets"]).numbers, nontargets: try #require(list["nontargets"]).numbers)
    let fit = try Calibration.fit(scores)
    let figures = [
      "eer": scores.equalErrorRate.rate, "threshold_eer": scores.equalErrorRate.threshold,
      "eer_rocch": scores.equalErrorRateOfHull, "min_dcf_0.01": scores.minimumCost(prior: 0.01),
      "min_dcf_0.05": scores.minimumCost(prior: 0.05), "cllr": scores.likelihoodRatioCost,
      "min_cllr": scores.minimumLikelihoodRatioCost,
    ]
    var compared = 0
    for (key, value) in figures {
      guard let expected = list[key]?.double else { continue }
      #expect(abs(value - expected) < 1e-9, "\(key): \(value), expected \(expected)")
      compared += 1
    }
    #expect(compared == (name == "ties" ? 3 : 7))
    // SciPy stops where its numerical gradient is small.
    #expect(abs(fit.calibration.scale - list["scale"]!.double!) < 1e-4 * abs(fit.calibration.scale))
    #expect(abs(fit.calibration.offset - list["offset"]!.double!) < 1e-4 * (1 + abs(fit.calibration.offset)))
  }

  @Test("cosines without the mean and AS-norm are NumPy's and WeSpeaker's", arguments: [10, 40])
  func normalization(_ top: Int) throws {
    let norm = try #require(Self.fixture["norm"])
    let (embeddings, cohort) = (try set(norm, "embeddings"), try set(norm, "cohort"))
    for (mine, theirs) in zip(embeddings.mean, norm["mean"]!.numbers) { #expect(abs(mine - theirs) < 1e-12) }
    let scorer = try CosineScorer(embeddings, rows: Array(0..<6), mean: embeddings.mean, source: "test")
    let others = try CosineScorer(cohort, rows: Array(0..<40), mean: embeddings.mean, source: "test")
    let statistics = (0..<6).map { CohortStatistics($0, of: scorer, cohort: others, top: top) }
    for a in 0..<6 {
      for b in 0..<6 {
        let cosine = norm["cosines"]!.array![a].numbers[b]
        #expect(abs(scorer(a, b) - cosine) < 1e-12)
        let score = CohortStatistics.normalized(scorer(a, b), enrol: statistics[a], test: statistics[b])
        // NumPy takes the cohort's cosines in single precision.
        #expect(abs(score - norm["normalized_\(top)"]!.array![a].numbers[b]) < 1e-5)
      }
    }
  }

  private func set(_ norm: JSON, _ key: String) throws -> EmbeddingSet {
    let rows = try #require(norm[key]?.array).map(\.numbers)
    return try EmbeddingSet(
      keys: rows.indices.map(String.init), width: rows[0].count, values: rows.flatMap { $0.map(Float.init) },
      source: key)
  }
}

extension JSON {
  fileprivate var numbers: [Double] { array!.compactMap(\.double) }
}
