import CKernels
import Diagnostics
import Foundation

/// What an update needs besides the gradient.
package struct ParameterUpdate {
  /// The flat buffer, element 0.
  package let parameters: UnsafeMutablePointer<Float>
  /// Updates made before this one.
  package let updates: Int
  package let learningRate: Double

  package init(parameters: UnsafeMutablePointer<Float>, updates: Int, learningRate: Double) {
    self.parameters = parameters
    self.updates = updates
    self.learningRate = learningRate
  }
}

/// AdamW (Loshchilov and Hutter, ICLR 2019; arXiv 1711.05101) as `torch.optim.AdamW` computes it: betas 0.9 and
/// 0.999, epsilon 1e-8, decoupled weight decay on every parameter.
///
/// It holds the moments of one range of the flat buffer, that which its rank owns, so the moments are shared out
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
    OutOfMemory.require(8 * range.count, for: "moments")
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
  /// - Parameter gradient: the gradient of element `range.lowerBound`.
  package func update(_ update: ParameterUpdate, gradient: UnsafePointer<Float>) {
    let t = Double(update.updates + 1)
    kernel_adamw(
      range.count, Float(update.learningRate), Float(weightDecay), Float(Self.beta1), Float(Self.beta2),
      Float(Self.epsilon), Float(1 - pow(Self.beta1, t)), Float((1 - pow(Self.beta2, t)).squareRoot()),
      gradient, moment, variance, update.parameters + range.lowerBound)
  }

  /// Takes its range of all moments.
  func set(_ moments: Moments) {
    for (place, index) in range.enumerated() {
      moment[place] = moments.moment[index]
      variance[place] = moments.variance[index]
    }
  }
}

/// AdamW's moments of all parameters that are trained, in the order of the flat buffer.
package struct Moments: Equatable, Sendable {
  /// First and second moments, `exp_avg` and `exp_avg_sq`; [trainedCount].
  package var moment: [Float], variance: [Float]

  package init(moment: [Float], variance: [Float]) {
    self.moment = moment
    self.variance = variance
  }

  /// Those before the first update.
  package init(zeros count: Int) {
    moment = Array(repeating: 0, count: count)
    variance = moment
  }
}

/// The notebook's schedule: linear warm-up from 0, then half a cosine to 0.
///
/// `f(s) = s / warmup` below `warmup`, else `max(0, ½ (1 + cos(π (s - warmup) / (total - warmup))))`: the first step
/// has learning rate 0 and changes nothing, as in the notebook.
package struct LearningRate: Sendable {
  package let peak: Double
  package let warmupSteps: Int
  package let totalSteps: Int

  package init(peak: Double, warmupSteps: Int, totalSteps: Int) {
    self.peak = peak
    self.warmupSteps = warmupSteps
    self.totalSteps = totalSteps
  }

  /// The learning rate of step `step`, counted from 0.
  package func callAsFunction(_ step: Int) -> Double {
    if step < warmupSteps { return peak * Double(step) / Double(max(1, warmupSteps)) }
    let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
    return peak * max(0, 0.5 * (1 + cos(.pi * progress)))
  }
}
