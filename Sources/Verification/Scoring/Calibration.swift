import Diagnostics
import Foundation
import TensorFiles

/// What makes log-likelihood ratios of scores: `scale · score + offset`.
public struct Calibration: Equatable, Sendable {
  /// By how much a score is multiplied.
  public var scale: Double
  /// What is added then.
  public var offset: Double

  /// A calibration that is known.
  public init(scale: Double, offset: Double) {
    self.scale = scale
    self.offset = offset
  }

  /// The log-likelihood ratio of a score.
  public func callAsFunction(_ score: Double) -> Double { scale * score + offset }

  /// The score whose log-likelihood ratio is that; not finite where the scale is 0.
  public func score(of ratio: Double) -> Double { (ratio - offset) / scale }
}

// MARK: - Fitting

extension Calibration {
  /// A calibration and what is to be known of it.
  public struct Fit: Equatable, Sendable {
    /// The calibration.
    public let calibration: Calibration
    /// Whether some threshold tells all targets from all nontargets: then likelihoods of 0 and 1 would fit best, and one
    /// trial more of each kind is counted on the wrong side.
    public let isSeparable: Bool
  }

  /// The calibration whose log-likelihood ratios cost least on these trials: logistic regression with targets and
  /// nontargets of equal weight, which is what minimises Cllr (Brümmer and du Preez 2006; the objective of WeSpeaker's
  /// score calibration). Trials that are told apart without error get Platt's targets (N + 1) / (N + 2), as no finite
  /// scale fits them best.
  ///
  /// - Throws: `badData` where all scores are equal.
  public static func fit(_ scores: DetectionScores) throws(Failure) -> Fit {
    let (targets, nontargets) = (scores.targets, scores.nontargets)
    guard let low = [targets[0], nontargets[0]].min(), let high = [targets.last!, nontargets.last!].max(),
      low < high
    else {
      throw Failure(.badData, "all scores are \(targets[0]): nothing can be calibrated")
    }
    let isSeparable = nontargets.last! < targets[0] || targets.last! < nontargets[0]
    // Around their middle and by their range, so that numbers of any size are fitted alike.
    let center = low / 2 + high / 2, spread = high / 2 - low / 2
    let regression = LogisticRegression(
      targets: targets.map { ($0 - center) / spread }, nontargets: nontargets.map { ($0 - center) / spread },
      isSmoothed: isSeparable)
    let (scale, offset) = regression.fit()
    let calibration = Calibration(scale: scale / spread, offset: offset - scale / spread * center)
    guard calibration.scale.isFinite, calibration.offset.isFinite else {
      throw Failure(.badData, "the scores are too near to one another (\(low) to \(high)) to be calibrated")
    }
    return Fit(calibration: calibration, isSeparable: isSeparable)
  }
}

/// Minimises ½[mean of softplus(-(a·s + b)) over targets + mean of softplus(a·s + b) over nontargets] in a and b.
private struct LogisticRegression {
  let targets: [Double], nontargets: [Double]
  /// Whether a part of each trial counts as one of the other kind.
  let isSmoothed: Bool

  private static let mostSteps = 200

  /// By Newton's method, halving steps that do not help: the objective is convex.
  func fit() -> (scale: Double, offset: Double) {
    var a = 0.0, b = 0.0
    var here = derivatives(a, b)
    for _ in 0..<Self.mostSteps {
      let determinant = here.aa * here.bb - here.ab * here.ab
      guard determinant > 0 else { break }
      let da = (here.bb * here.a - here.ab * here.b) / determinant
      let db = (here.aa * here.b - here.ab * here.a) / determinant
      var step = 1.0
      var there = derivatives(a - da, b - db)
      while !(there.value <= here.value), step > 1e-9 {
        step /= 2
        there = derivatives(a - step * da, b - step * db)
      }
      guard there.value <= here.value else { break }
      (a, b) = (a - step * da, b - step * db)
      here = there
      if abs(step * da) <= 1e-12 * (1 + abs(a)), abs(step * db) <= 1e-12 * (1 + abs(b)) { break }
    }
    return (a, b)
  }

  private struct Derivatives {
    var value = 0.0
    var a = 0.0, b = 0.0
    var aa = 0.0, ab = 0.0, bb = 0.0

    /// Adds a trial of weight `weight` that is a target to the part `truth`.
    mutating func add(_ score: Double, ratio: Double, truth: Double, weight: Double) {
      let likelihood = 1 / (1 + exp(-ratio))
      value +=
        weight * (truth * DetectionScores.softplus(-ratio) + (1 - truth) * DetectionScores.softplus(ratio))
      let first = weight * (likelihood - truth), second = weight * likelihood * (1 - likelihood)
      a += first * score
      b += first
      aa += second * score * score
      ab += second * score
      bb += second
    }
  }

  private func derivatives(_ a: Double, _ b: Double) -> Derivatives {
    var sum = Derivatives()
    let count = (Double(targets.count), Double(nontargets.count))
    let truth = isSmoothed ? ((count.0 + 1) / (count.0 + 2), 1 / (count.1 + 2)) : (1, 0)
    for score in targets { sum.add(score, ratio: a * score + b, truth: truth.0, weight: 0.5 / count.0) }
    for score in nontargets { sum.add(score, ratio: a * score + b, truth: truth.1, weight: 0.5 / count.1) }
    return sum
  }
}

// MARK: - Its file

extension Calibration {
  private static let format = "speakerid-dist calibration"

  /// The text of its file: a JSON object with `format`, `scale` and `offset`.
  ///
  /// - Parameter more: what else is to be known of it.
  public func text(_ more: JSONObject = JSONObject()) -> String {
    var object = JSONObject([
      ("format", .string(Self.format)), ("scale", .number(scale)), ("offset", .number(offset)),
    ])
    for (key, value) in more { object[key] = value }
    return JSON.object(object).serialized(indent: 2) + "\n"
  }

  /// Reads a file.
  ///
  /// - Throws: `missingInput`, `inputOutput`, or `badData` for what is no calibration.
  public init(reading path: String) throws(Failure) {
    let json = try JSON.parse(InputFile.readText(path: path), name: path)
    guard json["format"]?.string == Self.format else {
      throw Failure(
        .badData,
        "\(path): is no calibration: expected \"format\": \"\(Self.format)\", as 'calibrate' writes it")
    }
    func number(_ key: String) throws(Failure) -> Double {
      guard let value = json[key]?.double, value.isFinite else {
        throw Failure(.badData, "\(path): \(key): expected a number")
      }
      return value
    }
    self.init(scale: try number("scale"), offset: try number("offset"))
  }
}
