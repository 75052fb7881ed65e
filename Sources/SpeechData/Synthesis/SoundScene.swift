import Audio
import Foundation

/// A recording of something else than the corpus's speakers, as MUSAN has them: noise, music, and what others say.
package struct SoundScene: Sendable {
  /// What is heard, as the names of MUSAN's folders.
  package enum Kind: String, CaseIterable, Sendable {
    case music, noise, speech
  }

  package let kind: Kind
  /// Its number among its kind, from 0.
  package let number: Int

  /// Nobody of a corpus has such a number: corpora have at most 99,999 speakers.
  private static let firstStranger = 100_000

  /// The recording at 16 kHz, full scale ±1: 4 to 12 s.
  package func samples(seed: UInt64) -> [Float] {
    let key = SynthesisKey(seed: seed, speaker: Kind.allCases.firstIndex(of: kind)!, utterance: number)
    var draws = key.draws(.scene)
    let count = Int(draws.uniform(4...12) * Float(LogMel.sampleRate))
    let peak = pow(10, draws.uniform(-12 ... -1) / 20)
    var samples =
      switch kind {
      case .music: Self.music(count, &draws)
      case .speech: Self.talk(count, seed: seed, stranger: number)
      case .noise:
        switch number % 4 {
        case 0: BackgroundNoise(&draws).render(count, speechPower: 1, key: key)
        case 1: Self.hum(count, &draws, key)
        case 2: Self.knocks(count, &draws, key)
        default: Self.babble(count, &draws, seed: seed)
        }
      }
    let gain = peak / max(samples.reduce(0) { max($0, abs($1)) }, .leastNormalMagnitude)
    for n in samples.indices { samples[n] *= gain }
    return samples
  }

  private static func talk(_ count: Int, seed: UInt64, stranger: Int) -> [Float] {
    let speaker = firstStranger + stranger
    return UtteranceRenderer(
      voice: SpeakerVoice(seed: seed, speaker: speaker),
      key: SynthesisKey(seed: seed, speaker: speaker, utterance: stranger)
    ).audio(samples: count)
  }

  /// Four or five people at once, nearer and farther: the stranger's number is drawn far from those that speak alone.
  private static func babble(_ count: Int, _ draws: inout Draws, seed: UInt64) -> [Float] {
    var samples = [Float](repeating: 0, count: count)
    for _ in 0..<4 + draws.integer(below: 2) {
      let gain = draws.logUniform(0.3...1)
      let voice = talk(count, seed: seed, stranger: 1000 + draws.integer(below: 1_000_000))
      for n in samples.indices { samples[n] += gain * voice[n] }
    }
    return samples
  }

  /// A machine: harmonics of a low pitch, whose strength comes and goes, in a little noise.
  private static func hum(_ count: Int, _ draws: inout Draws, _ key: SynthesisKey) -> [Float] {
    var samples = BackgroundNoise(&draws).render(count, speechPower: 1, key: key)
    let pitch = draws.logUniform(45...240), slope = draws.uniform(0.5...1.5)
    let beat = draws.logUniform(0.2...4), depth = draws.uniform(0...0.8)
    for harmonic in 1...12 where Float(harmonic) * pitch < 7500 {
      add(
        pitch * Float(harmonic), pow(Float(harmonic), -slope), decay: 0, at: 0, phase: draws.uniform(0...1),
        to: &samples)
    }
    for n in samples.indices {
      samples[n] *= 1 - depth * (0.5 + 0.5 * sin(2 * .pi * beat * Float(n) / Float(LogMel.sampleRate)))
    }
    return samples
  }

  /// Blows on something that rings, at any time.
  private static func knocks(_ count: Int, _ draws: inout Draws, _ key: SynthesisKey) -> [Float] {
    var samples = BackgroundNoise(&draws).render(count, speechPower: 1e-3, key: key)
    let first = draws.logUniform(150...2500)
    for _ in 0..<count / LogMel.sampleRate * 2 {
      let start = draws.integer(below: count)
      let strength = draws.logUniform(0.1...1)
      for partial in [1, 2.32, 3.86] as [Float] where first * partial < 7500 {
        add(
          first * partial, strength / partial, decay: draws.logUniform(8...60), at: start, phase: 0,
          to: &samples)
      }
    }
    return samples
  }

  /// Chords of a major scale, struck and dying away, and a tune of their notes above.
  private static func music(_ count: Int, _ draws: inout Draws) -> [Float] {
    var samples = [Float](repeating: 0, count: count)
    let tonic = draws.logUniform(110...220), scale = [0, 2, 4, 5, 7, 9, 11]
    let beat = Int(draws.uniform(0.25...0.6) * Float(LogMel.sampleRate))
    var chord = 0
    func pitch(_ step: Int) -> Float { tonic * exp2(Float(scale[step % 7] + 12 * (step / 7)) / 12) }
    for (number, start) in stride(from: 0, to: count, by: beat).enumerated() {
      if number % 4 == 0 {
        chord = draws.pick([0, 3, 4, 5])
        for third in 0..<3 { strike(pitch(chord + 2 * third), 0.5, at: start, to: &samples) }
      }
      if draws.chance(0.8) {
        strike(
          pitch(chord + 7 + 2 * draws.integer(below: 3)), draws.uniform(0.4...0.8), at: start, to: &samples)
      }
    }
    return samples
  }

  private static func strike(_ pitch: Float, _ strength: Float, at start: Int, to samples: inout [Float]) {
    for harmonic in 1...5 where Float(harmonic) * pitch < 7500 {
      let overtone = Float(harmonic)
      add(
        pitch * overtone, strength / (overtone * overtone), decay: 2 * overtone, at: start, phase: 0,
        to: &samples)
    }
  }

  /// Adds a tone that dies away.
  ///
  /// - Parameters:
  ///   - decay: the falling of the logarithm of its strength in a second.
  ///   - phase: a share of its period.
  private static func add(
    _ frequency: Float, _ strength: Float, decay: Float, at start: Int, phase: Float,
    to samples: inout [Float]
  ) {
    // The tone as a number that turns and shrinks: a product a sample. Inaudible after a while.
    let angle = 2 * .pi * frequency / Float(LogMel.sampleRate)
    let shrinking = exp(-decay / Float(LogMel.sampleRate))
    let turn = (shrinking * cos(angle), shrinking * sin(angle))
    var (real, imaginary) = (strength * cos(2 * .pi * phase), strength * sin(2 * .pi * phase))
    let end =
      decay > 0 ? min(samples.count, start + Int(8 / decay * Float(LogMel.sampleRate))) : samples.count
    samples.withUnsafeMutableBufferPointer { samples in
      for n in start..<end {
        samples[n] += imaginary
        (real, imaginary) = (real * turn.0 - imaginary * turn.1, real * turn.1 + imaginary * turn.0)
      }
    }
  }
}
