import TensorCore

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
