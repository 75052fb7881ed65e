import Audio
import Foundation
import TestSupport
import Testing

@Suite("The resampler")
struct ResamplerTests {
  static let rates = [
    (44_100, 16_000), (8_000, 16_000), (48_000, 16_000), (16_000, 8_000), (22_050, 16_000), (11_025, 16_000),
  ]

  @Test("gives ceil(samples · new / old) samples", arguments: rates)
  func length(from: Int, to: Int) {
    let resampler = Resampler(from: from, to: to)
    for count in [0, 1, 2, 7, 100, 4_321] {
      let expected = Int((Double(count) * Double(to) / Double(from) - 1e-9).rounded(.up))
      #expect(resampler([Float](repeating: 0.5, count: count)).count == expected)
    }
  }

  @Test("gives the same bits however a signal is cut into blocks", arguments: rates)
  func blocks(from: Int, to: Int) {
    let signal = (0..<5_000).map { Float(sin(Double($0 * $0 % 7_919))) }
    let resampler = Resampler(from: from, to: to)
    let whole = resampler(signal)
    for block in [1, 3, 64, 1_000] {
      var stream = resampler.stream()
      var result: [Float] = []
      for start in stride(from: 0, to: signal.count, by: block) {
        signal[start..<min(start + block, signal.count)].withUnsafeBufferPointer {
          stream.push($0, into: &result)
        }
      }
      stream.finish(into: &result)
      #expect(result == whole, "blocks of \(block)")
    }
  }

  @Test("keeps a tone below both Nyquist frequencies", arguments: rates)
  func tone(from: Int, to: Int) {
    func sine(_ rate: Int, _ count: Int) -> [Float] {
      (0..<count).map { Float(sin(2 * .pi * 1_000 * Double($0) / Double(rate))) }
    }
    let result = Resampler(from: from, to: to)(sine(from, from / 2))
    let expected = sine(to, result.count)
    // Away from the ends, where the signal begins and stops at once.
    for n in 200..<result.count - 200 where abs(result[n] - expected[n]) > 2e-3 {
      Issue.record("sample \(n) is \(result[n]), not \(expected[n])")
      return
    }
  }

  @Test("is torchaudio's", arguments: [8_000, 11_025, 22_050, 44_100, 48_000])
  func torchaudio(_ rate: Int) throws {
    let fixture = try TensorFixture("sounds", in: Bundle.module)
    let result = Resampler(from: rate, to: 16_000)(try fixture.floats("resample.\(rate).in"))
    #expect(maximumDifference(result, try fixture.floats("resample.\(rate).out")) <= 2e-6)
  }
}
