import CAudioKernels
import Diagnostics
import Foundation
import TensorCore

/// Makes log-mel features of samples: torchaudio's, Kaldi's or SpeechBrain's way, as its settings say.
///
/// Spectra are taken in double precision: what differs from the libraries is their own rounding, which shows where a
/// frame is loud in some bands and nearly silent in others. Tables only; make one and share it among threads.
public struct FrontEnd: Sendable {
  /// All its numbers.
  public let parameters: FrontEndParameters
  /// Values in a frame.
  public var bands: Int { parameters.bands }
  /// Samples under the window.
  public let windowLength: Int
  /// Samples from one frame to the next.
  public let hop: Int
  /// The mel filters in use.
  public let filterbank: MelFilterbank

  private let window: [Double]
  private let transform: RealTransform
  private let firstBins: [Int32]
  private let binCounts: [Int32]
  private let weights: [Double]

  /// Frames that are computed at a time.
  static let lanes = 4

  /// - Parameter rate: samples a second.
  /// - Throws: `.usage`, naming the key, for numbers that make no front end.
  public init(_ settings: FeatureSettings, rate: Int) throws(Failure) {
    let parameters = FrontEndParameters(settings, rate: rate)
    self.parameters = parameters
    windowLength = parameters.windowLength(rate: rate)
    hop = parameters.hop(rate: rate)
    guard hop > 0, windowLength > 1 else {
      throw Failure(
        .usage,
        "features.window_ms and features.hop_ms: \(parameters.windowMilliseconds) and \(parameters.hopMilliseconds) ms"
          + " are \(windowLength) and \(hop) samples at \(rate) Hz, which makes no frames")
    }
    let size = parameters.transformLength(rate: rate)
    guard RealTransform.takes(size) else {
      throw Failure(
        .usage,
        "features.window_ms: \(parameters.windowMilliseconds) ms are \(size) samples at \(rate) Hz; an even number"
          + " whose half has no prime factors but 2 and 5 is needed, such as those of 20, 25 or 32 ms at 8 or 16 kHz"
      )
    }
    let (low, high) = (parameters.lowHertz, parameters.highHertz)
    guard low >= 0, low < high, high <= Double(rate) / 2 else {
      throw Failure(
        .usage,
        "features.low_hz and features.high_hz: \(low) and \(high) Hz; expected 0 or more, and more than that up to"
          + " \(rate / 2) Hz, half the rate")
    }
    transform = RealTransform(size: size)
    filterbank = MelFilterbank(
      parameters.filters, bands: parameters.bands, bins: transform.bins, sampleRate: Double(rate),
      lowest: low,
      highest: high)
    window = Self.window(parameters, windowLength)
    firstBins = filterbank.bands.map { Int32($0.first) }
    binCounts = filterbank.bands.map { Int32($0.weights.count) }
    weights = filterbank.bands.flatMap(\.weights)
  }

  /// The number of frames of a signal, and none of an empty one: `1 + samples / hop` around its samples,
  /// `1 + (samples - window) / hop` within it.
  public func frames(samples: Int) -> Int {
    switch parameters.framing {
    case .reflected, .zeroPadded: samples == 0 ? 0 : 1 + (samples + 2 * margin - windowLength) / hop
    case .snipped: samples < windowLength ? 0 : 1 + (samples - windowLength) / hop
    }
  }

  /// The features of a whole signal.
  ///
  /// A signal is mirrored at its ends by half a window. PyTorch refuses to mirror a signal that is shorter than that;
  /// here the mirror images are mirrored again, as `numpy.pad(mode="reflect")` does, so every signal has features.
  ///
  /// - Parameter samples: full scale ±1.
  /// - Returns: [T, bands] row-major with `T = frames(samples: samples.count)`.
  public func callAsFunction(_ samples: [Float]) -> [Float] {
    var stream = stream()
    var features: [Float] = []
    features.reserveCapacity(frames(samples: samples.count) * bands)
    samples.withUnsafeBufferPointer { stream.push($0, into: &features) }
    stream.finish(into: &features)
    limitRange(of: &features)
    return features
  }

  /// Raises what lies more than ``FrontEndParameters/topDecibels`` below the loudest value of an utterance to that.
  public func limitRange(of features: inout [Float]) {
    guard let top = parameters.topDecibels, let loudest = features.max() else { return }
    let least = loudest - Float(top)
    for index in features.indices where features[index] < least { features[index] = least }
  }

  /// The way of one signal through the front end; without ``limitRange(of:)``, which needs all of it.
  ///
  /// - Parameter keepingEnergies: whether the energies of the frames are kept beside the features.
  public func stream(keepingEnergies: Bool = false) -> FrontEndStream {
    FrontEndStream(self, keepingEnergies: keepingEnergies)
  }

  /// Samples before the first and behind the last that frames reach.
  var margin: Int { parameters.framing == .snipped ? 0 : windowLength / 2 }

  /// Appends `count` frames, the first of them at `signal`, the `number`-th of its signal.
  func append(_ count: Int, from signal: UnsafePointer<Float>, number: Int, to features: inout [Float]) {
    let old = features.count
    features.append(contentsOf: repeatElement(0, count: count * bands))
    let size = transform.size
    let floor = parameters.floor
    features.withUnsafeMutableBufferPointer { features in
      withUnsafeTemporaryAllocation(
        of: Double.self, capacity: Self.lanes * (2 * size + transform.bins + bands)
      ) { memory in
        let complex = memory.baseAddress!
        let scratch = complex + Self.lanes * size
        let power = scratch + Self.lanes * size
        let energies = power + Self.lanes * transform.bins
        for first in stride(from: 0, to: count, by: Self.lanes) {
          transformFrames(signal, first, of: count, number: number, complex)
          transform.power(of: complex, scratch: scratch, into: power)
          audio_filters(power, firstBins, binCounts, weights, bands, energies)
          for lane in 0..<min(Self.lanes, count - first) {
            let row = features.baseAddress! + old + (first + lane) * bands
            switch parameters.compression {
            case .naturalLogarithm:
              for band in 0..<bands { row[band] = log(Float(max(energies[Self.lanes * band + lane], floor))) }
            case .decibels:
              for band in 0..<bands {
                row[band] = 10 * log10(Float(max(energies[Self.lanes * band + lane], floor)))
              }
            }
          }
        }
      }
    }
  }

  /// The windowed frames `first ..< first + 4`, one in a lane; lanes beyond the last frame repeat it.
  private func transformFrames(
    _ signal: UnsafePointer<Float>, _ first: Int, of count: Int, number: Int,
    _ complex: UnsafeMutablePointer<Double>
  ) {
    func start(_ lane: Int) -> UnsafePointer<Float> { signal + min(first + lane, count - 1) * hop }
    func run(
      _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafePointer<Float>,
      _ d: UnsafePointer<Float>, scale: Double
    ) {
      withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: Self.lanes) { frames in
        (frames[0], frames[1], frames[2], frames[3]) = (a, b, c, d)
        audio_frames(
          frames.baseAddress!, window, windowLength, transform.size, scale, parameters.removesMean ? 1 : 0,
          parameters.preemphasis, complex)
      }
    }
    guard parameters.dither > 0 else {
      return run(start(0), start(1), start(2), start(3), scale: parameters.scale)
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.lanes * windowLength) { noisy in
      for lane in 0..<Self.lanes {
        dither(start(lane), number: number + first + lane, into: noisy.baseAddress! + lane * windowLength)
      }
      let frame = UnsafePointer(noisy.baseAddress!)
      run(frame, frame + windowLength, frame + 2 * windowLength, frame + 3 * windowLength, scale: 1)
    }
  }

  /// A frame in the scale's units with normal noise (Box and Muller, 1958), which depends on the frame's number alone,
  /// so that features do not differ from run to run as Kaldi's do.
  private func dither(_ frame: UnsafePointer<Float>, number: Int, into noisy: UnsafeMutablePointer<Float>) {
    let stream = RandomStream(seed: 0, purpose: .dither, sample: number)
    for n in 0..<windowLength {
      let radius = sqrt(-2 * log(max(Double(stream.uniform(at: 2 * n)), 0x1p-24)))
      let noise = radius * cos(2 * .pi * Double(stream.uniform(at: 2 * n + 1)))
      noisy[n] = Float(parameters.scale * Double(frame[n]) + parameters.dither * noise)
    }
  }

  private static func window(_ parameters: FrontEndParameters, _ length: Int) -> [Double] {
    let period = Double(parameters.isPeriodic ? length : length - 1)
    return (0..<length).map { n in
      let cosine = cos(2 * Double.pi * Double(n) / period)
      return switch parameters.window {
      case .hann: 0.5 - 0.5 * cosine
      case .hamming: 0.54 - 0.46 * cosine
      case .povey: pow(0.5 - 0.5 * cosine, 0.85)
      }
    }
  }
}
