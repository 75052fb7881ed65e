import Foundation
import TensorFiles
import Verification

/// How well scores tell whether two recordings are of one person, as `score` tells it.
struct VerificationFigures {
  let trials: Int
  let targets: Int
  let equalErrorRate: DetectionScores.EqualErrorRate
  let equalErrorRateOfHull: Double
  /// At a prior of 0.01 and of 0.05.
  let minimumCosts: (Double, Double)
  /// The same for decisions by Bayes' threshold, scores taken for log-likelihood ratios.
  let actualCosts: (Double, Double)
  let cllr: Double
  let minimumCllr: Double

  init(_ scores: DetectionScores) {
    trials = scores.count
    targets = scores.targets.count
    equalErrorRate = scores.equalErrorRate
    equalErrorRateOfHull = scores.equalErrorRateOfHull
    minimumCosts = (scores.minimumCost(prior: 0.01), scores.minimumCost(prior: 0.05))
    actualCosts = (scores.actualCost(prior: 0.01), scores.actualCost(prior: 0.05))
    cllr = scores.likelihoodRatioCost
    minimumCllr = scores.minimumLikelihoodRatioCost
  }

  /// One object.
  var json: JSON {
    [
      "trials": .integer(trials), "targets": .integer(targets), "eer": .number(equalErrorRate.rate),
      "eer_rocch": .number(equalErrorRateOfHull), "min_dcf_0.01": .number(minimumCosts.0),
      "min_dcf_0.05": .number(minimumCosts.1), "act_dcf_0.01": .number(actualCosts.0),
      "cllr": .number(cllr), "min_cllr": .number(minimumCllr),
      "threshold_eer": .number(equalErrorRate.threshold),
    ]
  }

  /// For a person.
  var text: String {
    let misses = equalErrorRate.rate * Double(min(targets, trials - targets))
    let doubt =
      misses < 30 ? String(format: "; of about %.0f errors, so it is known roughly only", misses) : ""
    return """
      \(trials) trials, \(targets) of them targets
      \(String(format: "EER     %.3f %% at the threshold %.6g (convex hull %.3f %%)", 100 * equalErrorRate.rate, equalErrorRate.threshold, 100 * equalErrorRateOfHull))\(doubt)
      \(String(format: "minDCF  %.4f at p = 0.01, %.4f at p = 0.05", minimumCosts.0, minimumCosts.1))
      \(String(format: "actDCF  %.4f at p = 0.01, %.4f at p = 0.05, scores taken for log-likelihood ratios", actualCosts.0, actualCosts.1))
      \(String(format: "Cllr    %.4f, at least %.4f for any calibration", cllr, minimumCllr))
      """
  }

  /// Tells it on standard output, or beside it where that is kept for something else.
  func tell(on console: Console, json: Bool, keepsOutput: Bool) throws {
    if json {
      try console.result(self.json.serialized())
    } else if keepsOutput {
      console.line(text)
    } else {
      try console.result(text)
    }
  }
}
