import Foundation

/// The notebook's schedule: linear warm-up from 0, then half a cosine to 0.
///
/// `f(s) = s / warmup` below `warmup`, else `max(0, ½ (1 + cos(π (s - warmup) / (total - warmup))))`: the first step
/// has learning rate 0 and changes nothing, as in the notebook.
struct LearningRate: Sendable {
  let peak: Double
  let warmupSteps: Int
  let totalSteps: Int

  /// The learning rate of step `step`, counted from 0.
  func callAsFunction(_ step: Int) -> Double {
    if step < warmupSteps { return peak * Double(step) / Double(max(1, warmupSteps)) }
    let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
    return peak * max(0, 0.5 * (1 + cos(.pi * progress)))
  }
}
