import Foundation
import SpeakerNet
import SpeechData
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
    let length = Int.random(in: 1...1_024, using: &random)
    c.train.segmentLengths = length...[length, length + 50].randomElement(using: &random)!
    if Bool.random(using: &random) { c.draw(using: &random) }
    c.train.seed = random.next() >> 1
    c.train.reduction = .allCases.randomElement(using: &random)!
    if c.train.reduction == .ordered { c.train.exchange = .allCases.randomElement(using: &random)! }
    c.train.overlap = Bool.random(using: &random)
    c.train.keepCheckpoints = Int.random(in: 1...9, using: &random)
    c.train.stallTimeout = [0, Double.random(in: 1...1_000, using: &random)].randomElement(using: &random)!
    c.train.checksumSteps = Int.random(in: 0...100_000, using: &random)
    return c
  }

  /// Draws the parts that say what sound, features and data become.
  private mutating func draw(using random: inout SeededGenerator) {
    func maybe<Value>(_ value: Value, _ random: inout SeededGenerator) -> Value? {
      Bool.random(using: &random) ? value : nil
    }
    audio.rate = Int.random(in: 4_000...192_000, using: &random)
    audio.bandwidth = maybe(8_000, &random)
    audio.channel = [.mean, .number(0), .number(7)].randomElement(using: &random)!
    audio.truncated = .allCases.randomElement(using: &random)!
    audio.peakDecibels = maybe(Double.random(in: -60...0, using: &random), &random)
    audio.trim = .allCases.randomElement(using: &random)!
    audio.minSeconds = Double.random(in: 0...9, using: &random)
    audio.maxSeconds = maybe(Double.random(in: 1...9_000, using: &random), &random)
    features.kind = .allCases.randomElement(using: &random)!
    features.bands = maybe(Int.random(in: 1...256, using: &random), &random)
    features.lowHertz = maybe(Double.random(in: 0...100, using: &random), &random)
    features.highHertz = maybe(Double.random(in: 1_000...9_000, using: &random), &random)
    features.windowMilliseconds = maybe(Double.random(in: 5...50, using: &random), &random)
    features.hopMilliseconds = maybe(Double.random(in: 5...20, using: &random), &random)
    features.window = maybe(.povey, &random)
    features.preemphasis = maybe(0.97, &random)
    features.dither = maybe(1, &random)
    features.topDecibels = maybe(80, &random)
    features.meanNormalization = .allCases.randomElement(using: &random)!
    data.layout = Layout.allCases.randomElement(using: &random).flatMap { maybe($0, &random) }
    data.holdoutSpeakers = Int.random(in: 0...100, using: &random)
    let slice = train.batchSize / train.shards
    data.utterancesPerSpeaker = maybe(
      (1...slice).filter(slice.isMultiple).randomElement(using: &random)!, &random)
    augment.spec.probability = Double.random(in: 0...1, using: &random)
    augment.spec.bandMasks = Int.random(in: 0...16, using: &random)
    augment.spec.bandWidth = Int.random(in: 0...40, using: &random)
    augment.spec.timeMasks = Int.random(in: 0...16, using: &random)
    augment.spec.timeWidth = Int.random(in: 0...100, using: &random)
    augment.spec.timeFraction = Double.random(in: 0...1, using: &random)
    augment.warp = Int.random(in: 0...40, using: &random)
    augment.gain = .init(-Double.random(in: 0...9, using: &random), Double.random(in: 0...9, using: &random))
    augment.noise.corpus = ["noise", "a b", "x: y", "#1", "-", "1.5", "é", "\"'\\"].randomElement(
      using: &random)!
    augment.music.corpus = maybe("/data/music", &random)
    augment.babble.corpus = maybe("speech", &random)
    augment.noise.probability = Double.random(in: 0...0.2, using: &random)
    augment.music.probability = Double.random(in: 0...0.2, using: &random)
    augment.babble.probability = Double.random(in: 0...0.2, using: &random)
    augment.noise.decibels = .init(-5, Double.random(in: 0...30, using: &random))
    augment.babbleVoices = 1...Int.random(in: 1...16, using: &random)
    augment.reverb.rooms = "RIRS_NOISES"
    augment.reverb.probability = Double.random(in: 0...0.2, using: &random)
    augment.reverb.alignment = [.none, .peak, .rotation].randomElement(using: &random)!
    augment.dropFrequency.probability = Double.random(in: 0...0.1, using: &random)
    augment.dropChunk.probability = Double.random(in: 0...0.1, using: &random)
    augment.dropChunk.count = 2...Int.random(in: 2...16, using: &random)
    augment.dropChunk.size = 100...Double.random(in: 100...900, using: &random)
    augment.speed.factors = [[1], [1, 0.9, 1.1], [1.25, 1]].randomElement(using: &random)!
    augment.speed.makesNewSpeakers = Bool.random(using: &random)
    augment.mixup = slice > 1 ? Double.random(in: 0...2, using: &random) : 0
  }
}
