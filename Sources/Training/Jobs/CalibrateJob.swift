import Collectives
import Diagnostics
import Foundation
import TensorFiles
import Verification

/// The options of `calibrate`, and the work: what makes log-likelihood ratios of scores.
public struct CalibrateJob: Job {
  /// The scores, as `score --output` and the field's programs write them.
  public var scores: String
  /// Where the calibration goes, a JSON object; `-` for standard output.
  public var output: String

  /// Fits a calibration to `scores`.
  public init(scores: String, output: String) {
    self.scores = scores
    self.output = output
  }

  /// Reads, fits and writes on rank 0.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    _ = try communicator.onRankZero {
      try OutputFiles([("--output", output)]).check(reading: [("--scores", scores)])
      let list = try ScoreList(reading: scores)
      let before = try naming(scores) { try list.detectionScores() }
      let fit = try naming(scores) { try Calibration.fit(before) }
      let calibration = fit.calibration
      if fit.isSeparable {
        console.warning(
          "\(scores): a threshold tells all trials apart, so how sure a score is cannot be learned from them: expected"
            + " more or harder trials")
      }
      if calibration.scale <= 0 {
        console.warning(
          "\(scores): targets score less than nontargets: are the labels or the signs exchanged?")
      }
      let after = try DetectionScores(
        targets: before.targets.map { calibration($0) }, nontargets: before.nontargets.map { calibration($0) }
      )
      let known = JSONObject([
        ("trials", .integer(before.count)), ("targets", .integer(before.targets.count)),
        ("cllr", .number(after.likelihoodRatioCost)), ("min_cllr", .number(after.minimumLikelihoodRatioCost)),
      ])
      try OutputFiles.write(Array(calibration.text(known).utf8), to: output, console)
      console.info(
        String(
          format: "log-likelihood ratio = %.6g · score %@ %.6g; Cllr %.4f on these trials, %.4f before",
          calibration.scale,
          calibration.offset < 0 ? "-" : "+", abs(calibration.offset), after.likelihoodRatioCost,
          before.likelihoodRatioCost))
      if calibration.scale > 0 {
        let thresholds = [0.01, 0.05, 0.5].map { prior in
          String(format: "%.6g where %g %% are", calibration.score(of: log((1 - prior) / prior)), 100 * prior)
        }
        console.info("Accept what scores more than \(listed(thresholds, "or")) of one person")
      }
    }
  }
}
