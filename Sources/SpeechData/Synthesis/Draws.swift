import Foundation
import TensorCore

/// Numbers drawn one after another from a stream.
package struct Draws: Sendable {
  private let stream: RandomStream
  private var element = 0

  package init(_ stream: RandomStream) {
    self.stream = stream
  }

  /// A number between two bounds, evenly.
  package mutating func uniform(_ range: ClosedRange<Float>) -> Float {
    defer { element += 1 }
    return range.lowerBound + (range.upperBound - range.lowerBound) * stream.uniform(at: element)
  }

  /// A number between two positive bounds, evenly in its logarithm: for frequencies.
  package mutating func logUniform(_ range: ClosedRange<Float>) -> Float {
    exp(uniform(log(range.lowerBound)...log(range.upperBound)))
  }

  /// A normal number (Box and Muller, "A note on the generation of random normal deviates", 1958), at most
  /// five deviations from the mean.
  package mutating func normal(mean: Float = 0, deviation: Float = 1) -> Float {
    let radius = sqrt(-2 * log(max(uniform(0...1), 0x1p-18)))
    return mean + deviation * radius * cos(2 * .pi * uniform(0...1))
  }

  /// True with the given probability.
  package mutating func chance(_ probability: Float) -> Bool { uniform(0...1) < probability }

  /// An integer in `0 ..< bound`.
  package mutating func integer(below bound: Int) -> Int {
    defer { element += 1 }
    return stream.integer(below: bound, at: element)
  }

  /// One of the items, all alike likely.
  package mutating func pick<Item>(_ items: [Item]) -> Item { items[integer(below: items.count)] }
}

extension RandomStream {
  /// White noise of variance 1: every sample the sum of two evenly distributed numbers.
  ///
  /// What follows is filtered, which makes the distribution normal enough; Klatt (1980) sums sixteen.
  package func whiteNoise(_ count: Int) -> [Float] {
    // Two halves of a word, each even on 0..<2^16: mean 65535, variance 2 · (2^32 - 1) / 12.
    let scale = Float(6).squareRoot() * 0x1p-16
    return [Float](unsafeUninitializedCapacity: count) { noise, initialized in
      for index in stride(from: 0, to: count, by: 4) {
        let words = block(UInt32(index / 4))
        let sums = SIMD4<Float>(words & 0xFFFF) + SIMD4<Float>(words &>> 16)
        let values = (sums - 65_535) * scale
        for lane in 0..<min(4, count - index) { noise[index + lane] = values[lane] }
      }
      initialized = count
    }
  }
}

/// What one utterance's randomness hangs on: the corpus's seed, its speaker, its own number.
///
/// Every part of the synthesis draws from a stream of its own, so an utterance can be made alone, in any
/// order and on any thread or rank, with the same bits, and a change to one part leaves the others' draws
/// as they were.
package struct SynthesisKey: Sendable {
  /// The parts that draw.
  package enum Part: Int, Sendable {
    case voice = 1, owner, name, length, script, recording
    case glottis, aspiration, frication, background, backgroundLevel
    case video, trials, scene, room, roomNoise
  }

  package let seed: UInt64
  package let speaker: Int
  package let utterance: Int

  package init(seed: UInt64, speaker: Int, utterance: Int) {
    self.seed = seed
    self.speaker = speaker
    self.utterance = utterance
  }

  /// The stream of one part.
  package func stream(_ part: Part) -> RandomStream {
    RandomStream(
      seed: seed, purpose: .synthesis, step: part.rawValue, shard: speaker, sample: utterance)
  }

  /// The numbers of one part, to be drawn one after another.
  package func draws(_ part: Part) -> Draws { Draws(stream(part)) }
}
