import TensorCore

/// The training loss: cross entropy, of logits with a margin for AM-softmax.
///
/// AM-softmax takes `s·m` from the target's logit before the cross entropy, `s·(cos - m)` (arXiv 1801.05599,
/// eq. 6); its gradient in the logits is the cross entropy's.
public struct Loss: Sendable {
  private let marginOfLogit: Float

  package init(_ loss: ModelConfiguration.Loss) {
    marginOfLogit = loss.kind == .amSoftmax ? loss.scale * loss.margin : 0
  }

  /// What a slice contributes to the loss and the accuracy.
  public struct Result: Sendable {
    /// Sum over the samples, not their mean.
    public let loss: Double
    /// Samples whose largest logit, without the margin, is the label's.
    public let correct: Int

    /// What more samples contribute.
    static func += (sum: inout Result, more: Result) {
      sum = Result(loss: sum.loss + more.loss, correct: sum.correct + more.correct)
    }
  }

  /// The slice's loss, and in `dy_BC` its gradient divided by the global batch (nil: not wanted).
  public func callAsFunction(
    _ y_BC: Matrix, labels: UnsafePointer<Int32>, gradient dy_BC: Matrix?, _ pass: Pass
  ) -> Result {
    let losses = pass.arena.floats(y_BC.rows)
    let correct = pass.arena.integers(y_BC.rows)
    var scored = y_BC
    if marginOfLogit != 0 {
      scored = pass.matrix(y_BC.rows, y_BC.columns)
      scored.copy(from: y_BC)
    }
    guard !pass.isPlanned else { return Result(loss: 0, correct: 0) }
    if marginOfLogit != 0 {
      for sample in 0..<y_BC.rows { scored[sample, Int(labels[sample])] -= marginOfLogit }
    }
    pass.crossEntropy(
      scored, labels: labels, losses: losses, correct: correct, gradient: dy_BC,
      scale: 1 / Float(pass.globalSamples))
    var sum = 0.0
    var hits = 0
    for sample in 0..<y_BC.rows {
      sum += Double(losses[sample])
      hits += marginOfLogit == 0 ? Int(correct[sample]) : isLargest(y_BC, sample, Int(labels[sample])) ? 1 : 0
    }
    return Result(loss: sum, correct: hits)
  }

  private func isLargest(_ y_BC: Matrix, _ sample: Int, _ label: Int) -> Bool {
    y_BC.largestColumn(ofRow: sample) == label
  }
}

extension Matrix {
  /// The first column that holds the largest element of a row: the predicted speaker.
  public func largestColumn(ofRow row: Int) -> Int {
    var best = 0
    for column in 1..<max(1, columns) where self[row, column] > self[row, best] { best = column }
    return best
  }
}
