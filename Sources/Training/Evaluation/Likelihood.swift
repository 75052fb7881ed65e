import Foundation

/// What a recording came to.
package struct SoundAnswer: Equatable, Sendable {
  /// Seconds of sound in it.
  package var seconds: Double
  /// The likeliest speakers, the likeliest first.
  package var likeliest: [Likelihood]
}

/// A speaker and how likely it is that theirs is the voice.
package struct Likelihood: Equatable, Sendable {
  /// The label.
  package var speaker: Int
  /// 0 ... 1.
  package var probability: Double

  /// The softmax of logits, in double precision.
  static func probabilities(_ logits: UnsafeBufferPointer<Float>) -> [Double] {
    let largest = Double(logits.max() ?? 0)
    let exponentials = logits.map { exp(Double($0) - largest) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
  }

  /// The largest of the probabilities by label, the largest first; of equal ones the lower label.
  static func likeliest(_ count: Int, of probabilities: [Double]) -> [Likelihood] {
    let order = probabilities.indices.sorted {
      (probabilities[$1], $0) < (probabilities[$0], $1)
    }
    return order.prefix(count).map { Likelihood(speaker: $0, probability: probabilities[$0]) }
  }

  /// The same of logits; without probabilities, which then are 0, where nobody asks for them.
  static func likeliest(
    _ count: Int, of logits: UnsafeBufferPointer<Float>, probabilities: Bool
  ) -> [Likelihood] {
    if probabilities { return likeliest(count, of: Self.probabilities(logits)) }
    var best = 0
    for speaker in logits.indices where logits[speaker] > logits[best] { best = speaker }
    return logits.isEmpty ? [] : [Likelihood(speaker: best, probability: 0)]
  }
}
