import Audio
import Foundation

/// What a microphone in a room hears of one click.
///
/// The direct sound, a handful of early reflections, and noise that dies away exponentially (Moorer, "About this
/// reverberation business", Computer Music Journal 3(2), 1979). The direct sound is the highest sample, so that whoever
/// shifts a response by its peak finds it.
package struct RoomResponse: Sendable {
  /// How large a room is, as the names of RIRS_NOISES' folders.
  package enum Size: String, CaseIterable, Sendable {
    case small, medium, large

    /// The room's length in metres, as in the data set.
    fileprivate var metres: ClosedRange<Float> {
      switch self {
      case .small: 1...10
      case .medium: 10...30
      case .large: 30...50
      }
    }

    fileprivate var reverberationTime: ClosedRange<Float> {
      switch self {
      case .small: 0.1...0.35
      case .medium: 0.25...0.6
      case .large: 0.5...1.1
      }
    }
  }

  /// At 16 kHz, full scale ±1.
  package let samples: [Float]

  /// - Parameters:
  ///   - room: what the walls hang on: the room's.
  ///   - place: what the places of mouth and microphone hang on.
  package init(_ size: Size, room: SynthesisKey, place: SynthesisKey) {
    var draws = room.draws(.room)
    let length = draws.uniform(size.metres)
    let decay = draws.uniform(size.reverberationTime)
    let corner = draws.logUniform(1500...7000)
    draws = place.draws(.room)
    let rate = Float(LogMel.sampleRate), speedOfSound: Float = 343
    let distance = length * draws.uniform(0.08...0.3)
    let arrival = Int(distance / speedOfSound * rate)
    let count = arrival + Int(decay * rate)
    // Sixty dB in the reverberation time.
    let perSample = -3 * log(10) / (decay * rate)
    var tail = place.stream(.roomNoise).whiteNoise(count)
    let onset = Int(0.002 * rate)
    for n in tail.indices { tail[n] *= n < arrival + onset ? 0 : exp(perSample * Float(n - arrival)) }
    var walls = Biquad.lowPass(corner)
    tail.withUnsafeMutableBufferPointer { walls.filter($0) }
    // The direct sound over the echoes, in dB.
    let ratio = draws.uniform(-2...10)
    let energy = tail.reduce(0) { $0 + $1 * $1 }
    let gain = pow(10, -ratio / 20) / max(energy, .leastNormalMagnitude).squareRoot()
    var response = tail.map { min(max($0 * gain, -0.8), 0.8) }
    for _ in 0..<6 {
      let way = distance + length * draws.uniform(0.2...1.4)
      let place = Int(way / speedOfSound * rate)
      let strength = distance / way * draws.uniform(0.3...0.85)
      if place < count { response[place] = min(max(response[place] + strength, -0.9), 0.9) }
    }
    response[arrival] = 1
    let peak = pow(10, draws.uniform(-12 ... -1) / 20)
    samples = response.map { $0 * peak }
  }
}
