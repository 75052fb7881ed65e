import CKernels
import Foundation

/// AdamW (Loshchilov and Hutter, ICLR 2019; arXiv 1711.05101) as `torch.optim.AdamW` computes it: betas 0.9 and
/// 0.999, epsilon 1e-8, decoupled weight decay on every parameter.
///
/// It holds the moments of one run of the flat buffer, the slice that its rank owns, so the moments are shared out
/// over the ranks (ZeRO stage 1, Rajbhandari et al., arXiv 1910.02054).
package final class AdamW {
  static let beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8

  /// The elements it updates.
  let range: Range<Int>
  /// First moments, `exp_avg`, and second moments, `exp_avg_sq`; [range.count].
  let moment: UnsafeMutablePointer<Float>, variance: UnsafeMutablePointer<Float>
  private let weightDecay: Double

  package init(range: Range<Int>, weightDecay: Double) {
    self.range = range
    self.weightDecay = weightDecay
    moment = .allocate(capacity: max(1, range.count))
    variance = .allocate(capacity: max(1, range.count))
    moment.initialize(repeating: 0, count: max(1, range.count))
    variance.initialize(repeating: 0, count: max(1, range.count))
  }

  deinit {
    moment.deallocate()
    variance.deallocate()
  }

  /// One update.
  ///
  /// - Parameters:
  ///   - parameters: the flat buffer, element 0.
  ///   - gradient: the gradient of element `range.lowerBound`.
  ///   - updates: updates made before this one.
  package func update(
    _ parameters: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>, updates: Int,
    learningRate: Double
  ) {
    let t = Double(updates + 1)
    kernel_adamw(
      range.count, Float(learningRate), Float(weightDecay), Float(Self.beta1), Float(Self.beta2),
      Float(Self.epsilon), Float(1 - pow(Self.beta1, t)), Float((1 - pow(Self.beta2, t)).squareRoot()),
      gradient,
      moment, variance, parameters + range.lowerBound)
  }
}
