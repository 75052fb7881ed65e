import Foundation

/// What lies between the lips and the file: room, noise, microphone and line, level.
///
/// Drawn anew for every utterance: a long-term spectrum says more about the recording than about the speaker.
package struct Recording: Sendable {
  package var room: Room
  package var noise: BackgroundNoise
  /// The microphone and the line, as filters one after another.
  package var channel: [Biquad]
  /// The highest absolute sample value of the file.
  package var peak: Float

  /// The recording of one utterance.
  package init(key: SynthesisKey) {
    var draws = key.draws(.recording)
    room = Room(&draws)
    noise = BackgroundNoise(&draws)
    channel = [
      .highPass(draws.logUniform(40...350)),
      .highShelf(draws.logUniform(500...2500), decibels: draws.uniform(-10...10)),
      .peak(draws.logUniform(150...1200), q: draws.uniform(0.5...2), decibels: draws.uniform(-9...9)),
      .peak(draws.logUniform(1200...6000), q: draws.uniform(0.5...2), decibels: draws.uniform(-9...9)),
      .lowPass(draws.logUniform(3300...7900)),
    ]
    peak = pow(10, draws.uniform(-24 ... -3) / 20)
  }

  /// Records speech, in place.
  package func record(_ speech: inout [Float], key: SynthesisKey) {
    room.reverberate(&speech)
    let background = noise.render(speech.count, speechPower: speech.meanSquare, key: key)
    for n in speech.indices { speech[n] += background[n] }
    speech.withUnsafeMutableBufferPointer { signal in
      for var filter in channel { filter.filter(signal) }
    }
    let highest = speech.reduce(0) { max($0, abs($1)) }
    let gain = peak / max(highest, .leastNormalMagnitude)
    for n in speech.indices { speech[n] *= gain }
  }
}
