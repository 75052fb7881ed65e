import Foundation

/// SoX's effect `silence 1 0.1 1% -1 0.1 1%`: stretches of at least 100 ms whose level stays below 1 % of full scale are
/// taken out, at the beginning, in the middle and at the end.
///
/// The level is the root mean square over 20 ms. Before sound has begun, samples are held until 100 ms of them in a row
/// are loud; within it, until one is loud again, or 100 ms were quiet. After SoX 14.4.2, `silence.c`: the same samples
/// are kept, sample for sample.
public struct SilenceTrim: Sendable {
  private static let threshold = 0.01

  private enum Mode { case trimming, copying }

  /// Samples that a stretch has to have.
  private let stretch: Int
  private var mode = Mode.trimming
  /// The squares under the window, and their sum.
  private var squares: [Double]
  private var position = 0
  private var sum = 0.0
  /// Loud ones while trimming, quiet ones while copying: not yet decided about.
  private var held: [Float] = []

  /// - Parameter rate: samples a second.
  public init(rate: Int) {
    squares = [Double](repeating: 0, count: rate / 50)
    stretch = rate / 10
    held.reserveCapacity(stretch)
  }

  /// Takes a block, and appends what of it and of what was held is kept.
  public mutating func push(_ samples: UnsafeBufferPointer<Float>, into result: inout [Float]) {
    for sample in samples {
      let isLoud = isLoud(with: sample)
      switch (mode, isLoud) {
      case (.trimming, true):
        held.append(sample)
        if held.count >= stretch {
          release(into: &result)
          mode = .copying
        }
      case (.trimming, false):
        held.removeAll(keepingCapacity: true)
      case (.copying, true):
        release(into: &result)
        result.append(sample)
      case (.copying, false):
        held.append(sample)
        if held.count >= stretch {
          held.removeAll(keepingCapacity: true)
          for index in squares.indices { squares[index] = 0 }
          (sum, position, mode) = (0, 0, .trimming)
        }
      }
    }
  }

  /// Ends the signal, and appends what is kept of what was held.
  public mutating func finish(into result: inout [Float]) {
    if mode == .copying { release(into: &result) }
    held = []
  }

  private mutating func release(into result: inout [Float]) {
    result.append(contentsOf: held)
    held.removeAll(keepingCapacity: true)
  }

  /// Puts a sample under the window, and tells whether what is there is loud.
  private mutating func isLoud(with sample: Float) -> Bool {
    let square = Double(sample) * Double(sample)
    sum = sum - squares[position] + square
    squares[position] = square
    position = position + 1 == squares.count ? 0 : position + 1
    return (max(sum, 0) / Double(squares.count)).squareRoot() > Self.threshold
  }
}

/// Kaldi's decision by energy which frames hold a voice, `compute-vad` with the settings of its VoxCeleb recipe (v2):
/// `--vad-energy-threshold=5.5 --vad-energy-mean-scale=0.5 --vad-proportion-threshold=0.12 --vad-frames-context=2`.
public enum VoiceActivity {
  private static let threshold: Float = 5.5
  private static let meanScale: Float = 0.5
  private static let proportion: Float = 0.12
  private static let context = 2

  /// Which frames hold a voice: those where at least 12 % of the frames from two before to two behind lie above
  /// 5.5 plus half the mean of all.
  ///
  /// - Parameter logEnergies: of each frame, the natural logarithm of its sum of squares in int16's units.
  public static func voiced(logEnergies: [Float]) -> [Bool] {
    let mean = logEnergies.reduce(0) { $0 + Double($1) } / Double(max(1, logEnergies.count))
    let least = threshold + meanScale * Float(mean)
    let isLoud = logEnergies.map { $0 > least }
    return isLoud.indices.map { frame in
      let around = max(0, frame - context)...min(isLoud.count - 1, frame + context)
      return Float(isLoud[around].count { $0 }) >= Float(around.count) * proportion
    }
  }

  /// The energies by the homework's features: `ln Σ_b exp(m_b) + 16.477`, which is Parseval's theorem with what the
  /// window, the filters and int16's units make of it; the decisions agree with those by samples for 95 % of frames.
  ///
  /// - Parameter mels: [T, bands] of natural logarithms.
  public static func logEnergies(ofMels mels: UnsafeBufferPointer<Float>, bands: Int) -> [Float] {
    (0..<mels.count / bands).map { frame in
      Float(log(mels[frame * bands..<(frame + 1) * bands].reduce(0.0) { $0 + exp(Double($1)) }) + 16.477)
    }
  }

  /// The energy of a frame of samples of full scale ±1, its mean taken off, as `logEnergies` has it.
  static func logEnergy(_ frame: UnsafeBufferPointer<Float>) -> Float {
    var sum = 0.0
    var squares = 0.0
    for sample in frame {
      sum += Double(sample)
      squares += Double(sample) * Double(sample)
    }
    let centred = squares - sum * sum / Double(frame.count)
    return Float(log(max(centred * 32_768 * 32_768, Double(Float.ulpOfOne))))
  }
}
