import Audio
import Foundation
import SpeechData
import TestSupport
import Testing

struct LogMelTests {
  static let signals = [
    "noise", "loudNoise", "chirp", "speechLike", "nearSilence", "silence", "justMirrored", "short200",
    "short160", "short7", "short1",
  ]

  let fixture: TensorFixture
  let logMel = LogMel()

  init() throws { fixture = try TensorFixture("frontend", in: Bundle.module) }

  /// Signals whose quiet bands lie so far below the loud ones that torchaudio's float32 transform leaves
  /// its own rounding there: up to 0.03 from the same formula in double precision.
  static let beyondFloat32 = ["chirp", "short7"]

  @Test("features are torchaudio's in double precision", arguments: signals)
  func doublePrecision(_ name: String) throws {
    let difference = maximumDifference(
      logMel(try fixture.floats("\(name).samples")), try fixture.floats("\(name).float64"))
    #expect(difference <= 1e-4)
  }

  @Test(
    "features are torchaudio's in single precision, where that is precise enough",
    arguments: signals.filter { !beyondFloat32.contains($0) })
  func singlePrecision(_ name: String) throws {
    let difference = maximumDifference(
      logMel(try fixture.floats("\(name).samples")), try fixture.floats("\(name).float32"))
    #expect(difference <= 1e-4)
  }

  @Test(
    "where torchaudio's single precision is lost, features differ from it by no more than its own error",
    arguments: beyondFloat32)
  func rounding(_ name: String) throws {
    let ours = logMel(try fixture.floats("\(name).samples"))
    let single = try fixture.floats("\(name).float32")
    let double = try fixture.floats("\(name).float64")
    for (value, (single, double)) in zip(ours, zip(single, double)) {
      #expect(abs(value - single) <= abs(double - single) + 1e-4)
    }
  }

  @Test("the filter bank is torchaudio's") func filterbank() throws {
    let expected = try fixture.floats("filterbank")
    var ours = [Float](repeating: 0, count: 201 * 40)
    for (band, filter) in logMel.filterbank.bands.enumerated() {
      #expect(!filter.weights.isEmpty)
      for (offset, weight) in filter.weights.enumerated() {
        ours[(filter.first + offset) * 40 + band] = Float(weight)
      }
    }
    #expect(maximumDifference(ours, expected) <= 2e-5)
  }

  @Test("a signal has as many frames as torchaudio gives it") func frameCounts() {
    for (samples, frames) in [(0, 0), (1, 1), (159, 1), (160, 2), (319, 2), (320, 3), (48_000, 301)] {
      #expect(LogMel.frames(samples: samples) == frames)
      #expect(logMel([Float](repeating: 0.1, count: samples)).count == frames * LogMel.bands)
    }
  }

  /// Frames share vector lanes; a frame must not know which lane it had or what the others held.
  @Test("a frame depends on its own samples alone, to the bit") func neighbours() throws {
    let samples = try fixture.floats("speechLike.samples")
    let whole = logMel(samples)
    for frame in 3..<12 {
      // The same 400 samples as frame 2 of a signal that begins 320 samples before frame `frame - 2`.
      let part = Array(samples[(frame - 2) * 160..<(frame + 4) * 160])
      #expect(logMel(part)[2 * 40..<3 * 40] == whole[frame * 40..<(frame + 1) * 40])
    }
  }

  /// A sinusoid of amplitude 1 on bin 50 (2 kHz) has the power (400 / 4)² under the window's main lobe.
  @Test("a sinusoid of known power has that power") func calibration() {
    let samples = (0..<4000).map { Float(sin(2 * Double.pi * 2000 * Double($0) / 16_000)) }
    let frame = logMel(samples)[10 * 40..<11 * 40]
    #expect(abs(frame.map { exp($0) }.reduce(0, +) - 1.5 * 10_000) < 150)
  }
}
