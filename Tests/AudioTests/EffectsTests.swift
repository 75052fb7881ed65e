import Audio
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite("Effects on sound")
struct EffectsTests {
  let fixture: TensorFixture

  init() throws { fixture = try TensorFixture("effects", in: Bundle.module) }

  private func convolve(_ signal: [Float], _ response: [Float], _ convolver: Convolver = Convolver())
    -> [Float]
  {
    var result = [Float](repeating: .nan, count: signal.count + response.count - 1)
    result.withUnsafeMutableBufferPointer { result in
      signal.withUnsafeBufferPointer { signal in
        response.withUnsafeBufferPointer { convolver.convolve(signal, with: $0, into: result) }
      }
    }
    return result
  }

  @Test("a convolution is scipy's")
  func convolution() throws {
    let result = convolve(try fixture.floats("signal"), try fixture.floats("response"))
    #expect(maximumDifference(result, try fixture.floats("convolution")) <= 2e-6)
  }

  @Test("a convolution is the sum that defines it, whatever the lengths, with memory that was used before")
  func lengths() {
    let convolver = Convolver()
    for (count, taps) in [(1, 1), (1, 5), (7, 3), (300, 1), (3, 300), (255, 2), (5_000, 101), (2_000, 1_999)]
    {
      let x = noise(count).map { Float($0) }, h = noise(taps, seed: 2).map { Float($0) / Float(taps) }
      let result = convolve(x, h, convolver)
      let expected = (0..<count + taps - 1).map { n in
        Float(
          (max(0, n - count + 1)...min(n, taps - 1)).reduce(0.0) { $0 + Double(h[$1]) * Double(x[n - $1]) })
      }
      #expect(maximumDifference(result, expected) <= 2e-6, "\(count) samples, \(taps) taps")
    }
  }

  @Test("rooms are WeSpeaker's, Kaldi's and SpeechBrain's", arguments: Reverberator.Alignment.allCases)
  func rooms(_ alignment: Reverberator.Alignment) throws {
    let reverberator = Reverberator()
    for (response, expected) in [("response", ""), ("longResponse", "Long")] {
      guard expected.isEmpty || alignment == .rotation else { continue }
      var samples = try fixture.floats("signal")
      reverberator.reverberate(&samples, try fixture.floats(response), alignment)
      #expect(maximumDifference(samples, try fixture.floats(alignment.rawValue + expected)) <= 2e-6)
    }
    var samples = try fixture.floats("signal")
    reverberator.reverberate(&samples, [0, 0], alignment)
    reverberator.reverberate(&samples, [], alignment)
    #expect(samples == (try fixture.floats("signal")))
    var nothing: [Float] = []
    reverberator.reverberate(&nothing, [1, 0.5], alignment)
    var silence = [Float](repeating: 0, count: 100)
    reverberator.reverberate(&silence, [1, 0.5], alignment)
    #expect(silence == [Float](repeating: 0, count: 100))
  }

  @Test(
    "a room that is one echo at once leaves the sound as it is", arguments: Reverberator.Alignment.allCases)
  func directSound(_ alignment: Reverberator.Alignment) throws {
    var samples = try fixture.floats("signal")
    // Aligned, a delay is none.
    Reverberator().reverberate(&samples, alignment == .none ? [0.25] : [0, 0, 0, 0.25, 0], alignment)
    #expect(maximumDifference(samples, try fixture.floats("signal")) <= 1e-6)
  }

  @Test("notches are SpeechBrain's")
  func notches() throws {
    let filter = NotchFilter([(0.1, 0.05), (0.437, 0.05), (0.93, 0.05)])
    #expect(maximumDifference(filter.taps, try fixture.floats("notchTaps")) <= 1e-6)
    var samples = try fixture.floats("signal")
    filter(&samples, Convolver())
    #expect(maximumDifference(samples, try fixture.floats("notched")) <= 2e-6)
    var same = try fixture.floats("signal")
    NotchFilter([])(&same, Convolver())
    #expect(maximumDifference(same, try fixture.floats("signal")) <= 1e-6)
  }

  @Test("noise is WeSpeaker's")
  func noise() throws {
    var samples = try fixture.floats("signal")
    samples.add(try fixture.floats("noise"), power: samples.meanPower, decibels: 7)
    #expect(maximumDifference(samples, try fixture.floats("mixed")) <= 1e-6)
  }

  @Test("noise to silence, and silence to noise, are finite")
  func silence() throws {
    var samples = [Float](repeating: 0, count: 1_000)
    samples.add(noise(1_000).map { Float($0) }, power: 0, decibels: -10)
    #expect(samples.meanPower > 0 && samples.meanPower < 1e-8)
    samples = noise(1_000).map { Float($0) }
    let before = samples
    samples.add([Float](repeating: 0, count: 1_000), power: samples.meanPower, decibels: 0)
    #expect(samples == before)
    samples.silence(990..<1_010)
    #expect(Array(samples[..<990]) == Array(before[..<990]) && samples[990...].allSatisfy { $0 == 0 })
  }

  private func noise(_ count: Int, seed: UInt64 = 1) -> [Double] { AudioTests.noise(count, seed: seed) }
}
