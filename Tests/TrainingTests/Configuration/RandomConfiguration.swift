import Foundation
import SpeakerNet
import TensorCore
import TestSupport
import Training

extension Configuration {
  /// A valid configuration with every key drawn at random.
  static func random(using random: inout SeededGenerator) -> Configuration {
    var c = Configuration()
    c.model.encoder.heads = Int.random(in: 1...16, using: &random)
    c.model.dModel = c.model.encoder.heads * Int.random(in: 1...64, using: &random)
    c.model.encoder.kind = .allCases.randomElement(using: &random)!
    c.model.encoder.layers = Int.random(in: 1...12, using: &random)
    c.model.encoder.feedforward = Int.random(in: 1...4_096, using: &random)
    c.model.encoder.kernel = 2 * Int.random(in: 0...31, using: &random) + 1
    c.model.encoder.dropout = Float.random(in: 0..<1, using: &random)
    c.model.encoder.parameterLimit = [nil, Int.random(in: 1...1_000_000, using: &random)].randomElement(
      using: &random)!
    c.model.pooling.kind = .allCases.randomElement(using: &random)!
    c.model.pooling.attention = Int.random(in: 1...512, using: &random)
    c.model.pooling.name = .allCases.randomElement(using: &random)!
    c.model.head = .allCases.randomElement(using: &random)!
    c.model.loss.kind = .allCases.randomElement(using: &random)!
    c.model.loss.scale = Float.random(in: 1e-9...1e9, using: &random)
    c.model.loss.margin = Float.random(in: 0..<1, using: &random)
    c.train.shards = Int.random(in: 1...32, using: &random)
    c.train.batchSize = c.train.shards * Int.random(in: 1...64, using: &random)
    c.train.totalSteps = Int.random(in: 1...1_000_000_000, using: &random)
    c.train.warmupSteps = Int.random(in: 0...1_000_000, using: &random)
    c.train.validSteps = Int.random(in: 1...1_000_000, using: &random)
    c.train.saveSteps = Int.random(in: 1...1_000_000, using: &random)
    c.train.learningRate = pow(10, Double.random(in: -300...30, using: &random))
    c.train.weightDecay = [0, pow(10, Double.random(in: -30...2, using: &random))].randomElement(
      using: &random)!
    c.train.segmentLength = Int.random(in: 1...1_024, using: &random)
    c.train.seed = random.next() >> 1
    c.train.reduction = .allCases.randomElement(using: &random)!
    if c.train.reduction == .ordered { c.train.exchange = .allCases.randomElement(using: &random)! }
    c.train.overlap = Bool.random(using: &random)
    c.train.keepCheckpoints = Int.random(in: 1...9, using: &random)
    c.train.stallTimeout = [0, Double.random(in: 1...1_000, using: &random)].randomElement(using: &random)!
    c.train.checksumSteps = Int.random(in: 0...100_000, using: &random)
    return c
  }
}
