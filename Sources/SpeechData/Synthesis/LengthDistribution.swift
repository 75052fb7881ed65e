import Foundation

/// How long utterances are: the inverse of a distribution function, drawn through given quantiles.
///
/// Between two quantiles the logarithm of the length is linear.
public struct LengthDistribution: Sendable {
  /// The name in `synthesis.json`.
  public let name: String
  private let quantiles: [(share: Float, frames: Float)]

  /// Utterances of 1.5 to 5 s, 2.4 s in the median: a corpus that is made in seconds.
  public static let short = LengthDistribution(
    name: "short", quantiles: [(0, 150), (0.25, 205), (0.5, 240), (0.75, 285), (0.95, 390), (1, 500)])

  /// The lengths of the homework's 64,666 utterances, recovered from their file sizes: 0.9 to 71.9 s, 5.4 s
  /// in the median, 6.6 s on average.
  public static let homework = LengthDistribution(
    name: "homework",
    quantiles: [
      (0, 91), (0.001, 252), (0.01, 314), (0.05, 368), (0.1, 397), (0.25, 440), (0.5, 540), (0.75, 737),
      (0.9, 1055), (0.95, 1337), (0.99, 2144), (0.999, 3732), (1, 7193),
    ])

  /// About how many frames an utterance has on average.
  var meanFrames: Int {
    let shares = 64
    return (0..<shares).reduce(0) { $0 + frames(at: (Float($1) + 0.5) / Float(shares)) } / shares
  }

  /// The number of frames below which the given share of the utterances lies.
  public func frames(at share: Float) -> Int {
    let upper = quantiles.dropFirst().first { share <= $0.share } ?? quantiles.last!
    let lower = quantiles.last { $0.share < upper.share } ?? quantiles.first!
    let position = (share - lower.share) / (upper.share - lower.share)
    return Int(exp(log(lower.frames) + position * (log(upper.frames) - log(lower.frames))).rounded())
  }
}
