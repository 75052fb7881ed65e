import Foundation

/// The log-mel spectrogram the homework's data was made with.
///
/// Equals torchaudio's `MelSpectrogram(sample_rate=16000, n_fft=400, hop_length=160, f_min=50, n_mels=40)`
/// (periodic Hann window, reflected edges, power 2, HTK filters) followed by `clamp(min=1e-9).log()`, the
/// front end of yistLin/dvector. Spectra are taken in double precision: what differs from torchaudio is
/// torchaudio's own rounding, which shows where a frame is loud in some bands and nearly silent in others.
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
  public let filterbank: MelFilterbank

  private let window: [Double]
  private let transform: RealTransform

  /// Computes the tables; make one and keep it.
  public init() {
    let length = Self.windowLength
    window = (0..<length).map { 0.5 - 0.5 * cos(2 * Double.pi * Double($0) / Double(length)) }
    transform = RealTransform(size: length)
    filterbank = MelFilterbank(
      bands: Self.bands, bins: transform.bins, sampleRate: Double(Self.sampleRate), lowest: 50,
      highest: 8000)
  }

  /// The number of frames of a signal: `1 + samples / 160`, and none of an empty one.
  public static func frames(samples: Int) -> Int {
    samples == 0 ? 0 : 1 + samples / hop
  }

  /// The log-mel spectrogram of a signal.
  ///
  /// The signal is mirrored at its ends by 200 samples. PyTorch refuses to mirror a signal of 200 samples
  /// or fewer; here the mirror images are mirrored again, as `numpy.pad(mode="reflect")` does, so every
  /// signal has a spectrogram.
  ///
  /// - Parameter samples: audio at 16 kHz, full scale ±1.
  /// - Returns: [T, 40] row-major with `T = frames(samples: samples.count)`; natural logarithms.
  public func callAsFunction(_ samples: [Float]) -> [Float] {
    let frames = Self.frames(samples: samples.count)
    let padded = mirrored(samples)
    let half = Self.windowLength / 2
    return [Float](unsafeUninitializedCapacity: frames * Self.bands) { logMel, count in
      withUnsafeTemporaryAllocation(of: ComplexLanes.self, capacity: 2 * half) { complex in
        withUnsafeTemporaryAllocation(of: Lanes.self, capacity: transform.bins) { power in
          let signal = complex.baseAddress!
          for frame in stride(from: 0, to: frames, by: Lanes.scalarCount) {
            gather(frame, of: frames, from: padded, into: signal)
            transform.power(of: signal, scratch: signal + half, into: power.baseAddress!)
            for (band, filter) in filterbank.bands.enumerated() {
              let energy = filter.energy(in: power.baseAddress!)
              for lane in 0..<min(Lanes.scalarCount, frames - frame) {
                logMel[(frame + lane) * Self.bands + band] = log(Float(max(energy[lane], 1e-9)))
              }
            }
          }
        }
      }
      count = frames * Self.bands
    }
  }

  /// The windowed frames `frame ..< frame + 4`, one in a lane; lanes beyond the last frame repeat it.
  private func gather(
    _ frame: Int, of frames: Int, from padded: [Float], into signal: UnsafeMutablePointer<ComplexLanes>
  ) {
    let starts = (0..<Lanes.scalarCount).map { min(frame + $0, frames - 1) * Self.hop }
    padded.withUnsafeBufferPointer { x in
      @inline(__always) func lanes(_ n: Int) -> Lanes {
        window[n]
          * Lanes(
            Double(x[starts[0] + n]), Double(x[starts[1] + n]), Double(x[starts[2] + n]),
            Double(x[starts[3] + n]))
      }
      for n in 0..<Self.windowLength / 2 {
        signal[n] = ComplexLanes(real: lanes(2 * n), imaginary: lanes(2 * n + 1))
      }
    }
  }

  /// The signal with 200 mirrored samples before and after it, the end samples not repeated.
  private func mirrored(_ samples: [Float]) -> [Float] {
    let margin = Self.windowLength / 2
    let count = samples.count
    func source(_ index: Int) -> Int {
      guard count > 1 else { return 0 }
      let period = 2 * (count - 1)
      let phase = ((index % period) + period) % period
      return min(phase, period - phase)
    }
    guard count > 0 else { return [] }
    return (-margin..<0).map { samples[source($0)] } + samples
      + (count..<count + margin).map { samples[source($0)] }
  }
}

extension MelFilterbank.Band {
  @inline(__always)
  fileprivate func energy(in power: UnsafePointer<Lanes>) -> Lanes {
    var sum = Lanes.zero
    for (offset, weight) in weights.enumerated() { sum += weight * power[first + offset] }
    return sum
  }
}
