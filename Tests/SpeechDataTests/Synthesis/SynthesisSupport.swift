import Foundation
import SpeechData
import TensorCore

/// The magnitude of a signal's spectrum at one frequency, by definition.
func magnitude(_ signal: [Float], hertz: Double) -> Double {
  var (real, imaginary) = (0.0, 0.0)
  for (n, value) in signal.enumerated() {
    let angle = 2 * Double.pi * hertz * Double(n) / 16_000
    real += Double(value) * cos(angle)
    imaginary -= Double(value) * sin(angle)
  }
  return (real * real + imaginary * imaginary).squareRoot()
}

/// White noise of variance 1 that owes nothing to the synthesis.
func noise(_ count: Int, seed: UInt64 = 3) -> [Float] {
  let stream = RandomStream(seed: seed, purpose: .augmentation)
  return (0..<count).map { (stream.uniform(at: $0) - 0.5) * Float(12).squareRoot() }
}

extension SpeakerVoice {
  /// An average man who speaks without any irregularity.
  static var steady: SpeakerVoice {
    var voice = SpeakerVoice(seed: 0, speaker: 0)
    voice.formantScale = 1
    voice.formantOffsets = SIMD8(repeating: 1)
    voice.vowelSpace = 1
    voice.bandwidthScale = 1
    voice.nasalScale = 1
    voice.fricationScale = 1
    voice.meanPitch = 125
    voice.openQuotient = 0.6
    voice.spectralTilt = 0
    voice.breath = 0
    voice.jitter = 0
    voice.shimmer = 0
    return voice
  }
}
