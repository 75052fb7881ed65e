import Foundation

/// Triangular filters on the mel scale of HTK, as torchaudio's `melscale_fbanks(norm=None)` makes them.
///
/// The corners are equally spaced in `mel = 2595 · log10(1 + f / 700)`; a filter rises from its left
/// neighbour's centre to 1 at its own and falls to its right neighbour's.
public struct MelFilterbank: Sendable {
  /// One filter: the weights of the bins `first ..< first + weights.count`, zero elsewhere.
  public struct Band: Sendable {
    /// The first bin with a weight above zero.
    public let first: Int
    /// The weights, without unit, in (0, 1].
    public let weights: [Double]
  }

  /// The filters, from the lowest to the highest.
  public let bands: [Band]

  /// - Parameters:
  ///   - bands: the number of filters.
  ///   - bins: the number of bins of the spectrum, from 0 Hz to half the sample rate.
  ///   - sampleRate: in Hz.
  ///   - lowest: the left corner of the first filter in Hz.
  ///   - highest: the right corner of the last filter in Hz.
  public init(bands: Int, bins: Int, sampleRate: Double, lowest: Double, highest: Double) {
    func mel(_ hertz: Double) -> Double { 2595 * log10(1 + hertz / 700) }
    func hertz(_ mel: Double) -> Double { 700 * (pow(10, mel / 2595) - 1) }
    let step = (mel(highest) - mel(lowest)) / Double(bands + 1)
    let corners = (0..<bands + 2).map { hertz(mel(lowest) + step * Double($0)) }
    let binWidth = sampleRate / 2 / Double(bins - 1)
    self.bands = (0..<bands).map { band in
      let (left, centre, right) = (corners[band], corners[band + 1], corners[band + 2])
      let weights = (0..<bins).map { bin in
        let frequency = Double(bin) * binWidth
        return max(0, min((frequency - left) / (centre - left), (right - frequency) / (right - centre)))
      }
      let first = weights.firstIndex { $0 > 0 } ?? 0
      return Band(first: first, weights: Array(weights[first...].prefix { $0 > 0 }))
    }
  }
}
