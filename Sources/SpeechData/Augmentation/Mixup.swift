import Foundation
import TensorCore

/// Mixtures of samples and of their labels (Zhang and others, "mixup", arXiv 1710.09412), within a slice.
public struct Mixup: Sendable {
  private let quantiles: BetaQuantiles

  /// - Parameter alpha: of Beta(α, α), above 0.
  public init(alpha: Double) { quantiles = BetaQuantiles(alpha: alpha) }

  /// Mixes every sample of a slice with another one, `x = λ·x + (1 - λ)·x'`, both as they were.
  ///
  /// - Parameters:
  ///   - slice: [samples · frames, bands]
  ///   - copy: room for as much.
  ///   - labels: [samples]
  ///   - others: [samples], where the labels of the partners go.
  ///   - weights: [samples], where λ goes.
  ///   - draws: the decisions about a sample.
  public func callAsFunction(
    _ slice: Matrix, samples: Int, copy: Matrix, labels: UnsafePointer<Int32>,
    others: UnsafeMutablePointer<Int32>, weights: UnsafeMutablePointer<Float>,
    draws: (_ sample: Int) -> AugmentationDraws
  ) {
    let frames = slice.rows / samples
    copy.copy(from: slice)
    for sample in 0..<samples {
      let draws = draws(sample)
      let partner = samples > 1 ? draws.partner(of: sample, among: samples) : sample
      let weight = quantiles(draws.mixup)
      slice.rows(sample * frames..<(sample + 1) * frames).setBlend(
        of: copy.rows(partner * frames..<(partner + 1) * frames),
        copy.rows(sample * frames..<(sample + 1) * frames), weight: weight)
      others[sample] = labels[partner]
      weights[sample] = weight
    }
  }
}

/// The quantiles of Beta(α, α), from a table: what turns one uniform number into one of that distribution.
package struct BetaQuantiles: Sendable {
  /// Of the lower half, at equal steps; the upper half mirrors it.
  private let table: [Float]
  private static let steps = 2_048

  package init(alpha: Double) {
    table = (0...Self.steps).map { Float(Self.quantile(Double($0) / Double(2 * Self.steps), alpha)) }
  }

  /// The number below which a part `u`, 0 ... 1, of the distribution lies.
  package func callAsFunction(_ u: Float) -> Float {
    let half = u <= 0.5 ? u : 1 - u
    let place = half * Float(2 * Self.steps)
    let whole = min(Int(place), Self.steps - 1)
    let value = table[whole] + (place - Float(whole)) * (table[whole + 1] - table[whole])
    return u <= 0.5 ? value : 1 - value
  }

  /// By bisection on the logarithm, which small parameters push far towards 0.
  private static func quantile(_ u: Double, _ alpha: Double) -> Double {
    guard u > 0 else { return 0 }
    guard u < 0.5 else { return 0.5 }
    var low = -700.0, high = log(0.5)
    for _ in 0..<100 {
      let middle = (low + high) / 2
      if part(below: exp(middle), alpha) < u { low = middle } else { high = middle }
    }
    return exp((low + high) / 2)
  }

  /// The incomplete beta function I_x(α, α) for x ≤ ½, by its continued fraction (DLMF 8.17.22), from the end.
  private static func part(below x: Double, _ alpha: Double) -> Double {
    var fraction = 0.0
    for m in stride(from: 200, to: 0, by: -1) {
      let n = Double(m)
      let even = n * (alpha - n) * x / ((alpha + 2 * n - 1) * (alpha + 2 * n))
      let odd = -(alpha + n) * (2 * alpha + n) * x / ((alpha + 2 * n) * (alpha + 2 * n + 1))
      fraction = even / (1 + odd / (1 + fraction))
    }
    let first = -alpha * 2 * alpha * x / (alpha * (alpha + 1))
    let logBeta = 2 * lgamma(alpha) - lgamma(2 * alpha)
    return exp(alpha * log(x) + alpha * log1p(-x) - logBeta) / alpha / (1 + first / (1 + fraction))
  }
}
