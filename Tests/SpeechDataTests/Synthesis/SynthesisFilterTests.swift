import Foundation
import SpeechData
import Testing

struct SynthesisFilterTests {
  /// What a filter makes of an impulse.
  private func response(_ count: Int = 8000, _ filter: (UnsafeMutableBufferPointer<Float>) -> Void) -> [Float]
  {
    var signal = [Float](repeating: 0, count: count)
    signal[0] = 1
    signal.withUnsafeMutableBufferPointer { filter($0) }
    return signal
  }

  @Test(
    "a resonator has its peak, its width and a gain of one at 0 Hz",
    arguments: [(500, 60), (1500, 90), (3500, 250)] as [(Float, Float)])
  func resonator(_ frequency: Float, _ bandwidth: Float) {
    var resonator = Resonator()
    resonator.tune(frequency: frequency, bandwidth: bandwidth)
    let impulse = response { resonator.filter($0) }
    #expect(abs(magnitude(impulse, hertz: 0) - 1) < 1e-2)
    let candidates = stride(from: Double(frequency) - 200, through: Double(frequency) + 200, by: 2)
    let peak = candidates.max { magnitude(impulse, hertz: $0) < magnitude(impulse, hertz: $1) }!
    #expect(abs(peak - Double(frequency)) <= 10)
    let half = magnitude(impulse, hertz: peak) * 0.5.squareRoot()
    #expect(magnitude(impulse, hertz: peak + 0.6 * Double(bandwidth)) < half)
    #expect(magnitude(impulse, hertz: peak + 0.4 * Double(bandwidth)) > half)
  }

  @Test("an anti-resonator undoes a resonator") func antiResonator() {
    var (pole, zero) = (Resonator(), AntiResonator())
    pole.tune(frequency: 700, bandwidth: 80)
    zero.tune(frequency: 700, bandwidth: 80)
    let impulse = response {
      pole.filter($0)
      zero.filter($0)
    }
    #expect(abs(impulse[0] - 1) < 1e-3)
    #expect(impulse.dropFirst().allSatisfy { abs($0) < 1e-3 })
  }

  @Test("every biquad passes and stops what its name says, by that many decibels") func biquads() {
    func decibels(_ filter: Biquad, _ hertz: Double) -> Double {
      var filter = filter
      return 20 * log10(magnitude(response { filter.filter($0) }, hertz: hertz))
    }
    #expect(abs(decibels(.highPass(300), 300) + 3) < 0.1 && decibels(.highPass(300), 30) < -35)
    #expect(abs(decibels(.lowPass(3000), 3000) + 3) < 0.1 && decibels(.lowPass(3000), 7500) < -30)
    #expect(abs(decibels(.bandPass(2000, bandwidth: 500), 2000)) < 0.1)
    #expect(decibels(.bandPass(2000, bandwidth: 500), 500) < -15)
    #expect(abs(decibels(.peak(1000, q: 1, decibels: -7), 1000) + 7) < 0.1)
    #expect(abs(decibels(.peak(1000, q: 1, decibels: -7), 20)) < 0.1)
    #expect(abs(decibels(.highShelf(1000, decibels: 8), 7900) - 8) < 0.2)
    #expect(abs(decibels(.highShelf(1000, decibels: 8), 20)) < 0.1)
  }

  @Test("a room's echoes fall by 60 decibels in its reverberation time", arguments: [0.2, 0.5] as [Float])
  func reverberation(_ time: Float) {
    var draws = SynthesisKey(seed: 4, speaker: 0, utterance: 0).draws(.recording)
    var room = Room(&draws)
    room.reverberationTime = time
    room.absorption = 0
    var signal = [Float](repeating: 0, count: 16_000)
    signal[0] = 1
    room.reverberate(&signal)
    // Schroeder's backward integral of the echoes: their energy from a moment on.
    func decibels(from seconds: Float) -> Float {
      10 * log10(signal[max(1, Int(seconds * 16_000))...].reduce(0) { $0 + $1 * $1 })
    }
    let slope = (decibels(from: 0.6 * time) - decibels(from: 0.2 * time)) / (0.4 * time)
    #expect(abs(slope / (-60 / time) - 1) < 0.15)
  }

  @Test("a room's echoes are as strong as was asked for", arguments: [0.15, 0.3, 0.6] as [Float])
  func echoes(_ time: Float) {
    var draws = SynthesisKey(seed: 4, speaker: 0, utterance: 0).draws(.recording)
    var room = Room(&draws)
    room.reverberationTime = time
    room.absorption = 0
    room.echoes = 0.5
    let dry = noise(80_000)
    var wet = dry
    room.reverberate(&wet)
    let echoes = zip(wet, dry).map { $0 - $1 }
    #expect(abs(10 * log10(echoes.meanSquare / dry.meanSquare) - 20 * log10(0.5)) < 1.5)
  }

  @Test("white noise is white and of variance one") func whiteNoise() {
    let noise = SynthesisKey(seed: 5, speaker: 1, utterance: 2).stream(.background).whiteNoise(160_001)
    #expect(noise.count == 160_001)
    #expect(abs(noise.reduce(0, +) / 160_001) < 0.01 && abs(noise.meanSquare - 1) < 0.02)
    for lag in 1...8 {
      let correlation = zip(noise, noise.dropFirst(lag)).reduce(0) { $0 + $1.0 * $1.1 } / 160_001
      #expect(abs(correlation) < 0.012, "lag \(lag)")
    }
  }

  @Test("background noise has the distance from the speech that its recording says") func background() {
    for utterance in 0..<20 {
      let key = SynthesisKey(seed: 5, speaker: 1, utterance: utterance)
      let background = RecordingChain(key: key).noise
      #expect((5...25).contains(background.signalToNoise))
      let power = background.render(40_000, speechPower: 0.04, key: key).meanSquare
      #expect(abs(10 * log10(0.04 / power) - background.signalToNoise) < 0.01)
    }
  }
}
