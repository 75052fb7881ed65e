import Diagnostics
import Foundation

/// The log-mel spectrogram the homework's data was made with, and the built-in corpus is.
///
/// Equals torchaudio's `MelSpectrogram(sample_rate=16000, n_fft=400, hop_length=160, f_min=50, n_mels=40)`
/// (periodic Hann window, reflected edges, power 2, HTK filters) followed by `clamp(min=1e-9).log()`, the
/// front end of yistLin/dvector: ``FeatureSettings/Kind/dvector40`` with all its numbers fixed.
public struct LogMel: Sendable {
  /// Samples a second.
  public static let sampleRate = 16_000
  /// Samples from one frame to the next: 10 ms.
  public static let hop = 160
  /// Samples under the window: 25 ms.
  public static let windowLength = 400
  /// Values in a frame.
  public static let bands = 40
  /// The natural logarithm of the least energy told apart from silence, 1e-9.
  public static let floor = Float(log(1e-9))

  /// The mel filters in use.
  public var filterbank: MelFilterbank { frontEnd.filterbank }

  private let frontEnd: FrontEnd

  /// Computes the tables; make one and keep it.
  public init() {
    do {
      frontEnd = try FrontEnd(FeatureSettings(), rate: Self.sampleRate)
    } catch {
      preconditionFailure("the defaults make no front end: \(error)")
    }
  }

  /// The number of frames of a signal: `1 + samples / 160`, and none of an empty one.
  public static func frames(samples: Int) -> Int {
    samples == 0 ? 0 : 1 + samples / hop
  }

  /// The log-mel spectrogram of a signal.
  ///
  /// - Parameter samples: audio at 16 kHz, full scale ±1.
  /// - Returns: [T, 40] row-major with `T = frames(samples: samples.count)`; natural logarithms.
  public func callAsFunction(_ samples: [Float]) -> [Float] { frontEnd(samples) }
}
