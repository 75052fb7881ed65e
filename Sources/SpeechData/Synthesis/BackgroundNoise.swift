import Foundation

/// The sounds of a place: noise with a colour of its own whose strength comes and goes.
package struct BackgroundNoise: Sendable {
  /// The energy of the speech over that of the noise, in dB.
  package var signalToNoise: Float
  /// The corner above which the noise falls by 6 dB an octave, in Hz.
  package var corner: Float
  /// The share of white noise, as an amplitude.
  package var white: Float
  /// A hum or hiss with a pitch: its centre and its width in Hz, and its strength in dB.
  package var humCentre: Float
  package var humBandwidth: Float
  package var humDecibels: Float
  /// How far the strength wanders, in dB, about once a second.
  package var wandering: Float

  /// Noise of 5 to 25 dB below the speech.
  package init(_ draws: inout Draws) {
    signalToNoise = draws.uniform(5...25)
    corner = draws.logUniform(60...3000)
    white = draws.logUniform(0.01...0.5)
    humCentre = draws.logUniform(100...5000)
    humBandwidth = humCentre * draws.logUniform(0.2...1)
    humDecibels = draws.uniform(0...18)
    wandering = draws.uniform(0...6)
  }

  /// The noise alone, as loud as `signalToNoise` asks for beside speech of the given energy.
  ///
  /// - Parameters:
  ///   - count: samples.
  ///   - speechPower: the mean square of the speech.
  ///   - key: the utterance it belongs to.
  package func render(_ count: Int, speechPower: Float, key: SynthesisKey) -> [Float] {
    var noise = key.stream(.background).whiteNoise(count)
    let share = 1 - exp(-2 * .pi * corner / Float(LogMel.sampleRate))
    var low: Float = 0
    for n in noise.indices {
      low += share * (noise[n] - low)
      noise[n] = low + white * share.squareRoot() * noise[n]
    }
    var hum = Biquad.peak(humCentre, q: humCentre / humBandwidth, decibels: humDecibels)
    noise.withUnsafeMutableBufferPointer { hum.filter($0) }
    wander(&noise, key)
    let gain = (speechPower * pow(10, -signalToNoise / 10) / max(noise.meanSquare, .leastNormalMagnitude))
      .squareRoot()
    for n in noise.indices { noise[n] *= gain }
    return noise
  }

  /// Raises and lowers the strength, along straight lines in dB between points half a second apart.
  private func wander(_ noise: inout [Float], _ key: SynthesisKey) {
    let span = LogMel.sampleRate / 2
    var draws = key.draws(.backgroundLevel)
    var left = wandering * draws.normal()
    for start in stride(from: 0, to: noise.count, by: span) {
      let right = wandering * draws.normal()
      // A factor repeated at each sample is a straight line in dB.
      var gain = pow(10, left / 20)
      let factor = pow(10, (right - left) / 20 / Float(span))
      for n in start..<min(start + span, noise.count) {
        noise[n] *= gain
        gain *= factor
      }
      left = right
    }
  }
}

extension [Float] {
  /// The mean of the squares.
  package var meanSquare: Float {
    Float(reduce(0.0) { $0 + Double($1) * Double($1) }) / Float(Swift.max(count, 1))
  }
}
