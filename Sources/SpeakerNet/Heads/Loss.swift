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
  ///
  /// Of a mixture it is `λ · loss(label) + (1 - λ) · loss(other label)`, each with its own margin; it is recognised by
  /// whichever has the larger part (Zhang and others, "mixup", arXiv 1710.09412).
  public func callAsFunction(
    _ y_BC: Matrix, labels: UnsafePointer<Int32>, mixture: Mixture? = nil, gradient dy_BC: Matrix?,
    _ pass: Pass
  ) -> Result {
    guard let mixture else { return whole(y_BC, labels: labels, part: 1, gradient: dy_BC, pass) }
    let other_1C = pass.matrix(1, y_BC.columns)
    var sum = Result(loss: 0, correct: 0)
    for sample in 0..<y_BC.rows {
      let row = sample..<sample + 1, part = pass.isPlanned ? 1 : mixture.parts[sample]
      let first = whole(
        y_BC.rows(row), labels: labels + sample, part: part, gradient: dy_BC?.rows(row), pass)
      let second = whole(
        y_BC.rows(row), labels: mixture.labels + sample, part: 1 - part,
        gradient: dy_BC.map { _ in other_1C },
        pass)
      if let dy_BC { pass.add(other_1C, to: dy_BC.rows(row)) }
      sum += Result(
        loss: Double(part) * first.loss + Double(1 - part) * second.loss,
        correct: part >= 0.5 ? first.correct : second.correct)
    }
    return sum
  }

  /// The loss of samples that have one label each, and its gradient times `part`.
  private func whole(
    _ y_BC: Matrix, labels: UnsafePointer<Int32>, part: Float, gradient dy_BC: Matrix?, _ pass: Pass
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
      scale: part / Float(pass.globalSamples))
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

/// What the samples of a slice are beside their labels, where each is a mixture of two.
public struct Mixture {
  /// The other label of each.
  public let labels: UnsafePointer<Int32>
  /// The part of each, 0 ... 1, that its first label has.
  public let parts: UnsafePointer<Float>

  /// Mixtures of these.
  public init(labels: UnsafePointer<Int32>, parts: UnsafePointer<Float>) {
    self.labels = labels
    self.parts = parts
  }

  /// Those from a sample on.
  func from(_ sample: Int) -> Mixture { Mixture(labels: labels + sample, parts: parts + sample) }
}

extension Matrix {
  /// The first column that holds the largest element of a row: the predicted speaker.
  public func largestColumn(ofRow row: Int) -> Int {
    var best = 0
    for column in 1..<max(1, columns) where self[row, column] > self[row, best] { best = column }
    return best
  }
}
