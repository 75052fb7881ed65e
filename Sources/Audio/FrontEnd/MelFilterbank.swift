import Foundation

/// Triangular filters over the bins of a spectrum.
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

  /// Filters whose corners are equally spaced on the mel scale of HTK, `mel = 2595 · log10(1 + f / 700)`, which is
  /// Kaldi's `1127 · ln(1 + f / 700)`.
  ///
  /// - `htk`, torchaudio's `melscale_fbanks(norm=None)`: a filter rises over Hz from its left neighbour's centre to 1 at
  ///   its own and falls to its right neighbour's.
  /// - `kaldi`, `kaldi.fbank` and Kaldi's `MelBanks`: the same over mel; the Nyquist bin has no part in any.
  /// - `speechbrain`, its `Filterbank`: falls over Hz as steeply as it rises, whatever the gap to the right.
  ///
  /// - Parameters:
  ///   - bands: the number of filters.
  ///   - bins: the number of bins of the spectrum, from 0 Hz to half the sample rate.
  ///   - sampleRate: in Hz.
  ///   - lowest: the left corner of the first filter in Hz.
  ///   - highest: the right corner of the last filter in Hz.
  public init(
    _ shape: FrontEndParameters.Filters = .htk, bands: Int, bins: Int, sampleRate: Double, lowest: Double,
    highest: Double
  ) {
    func mel(_ hertz: Double) -> Double {
      shape == .kaldi ? 1127 * log(1 + hertz / 700) : 2595 * log10(1 + hertz / 700)
    }
    func hertz(_ mel: Double) -> Double { 700 * (pow(10, mel / 2595) - 1) }
    let step = (mel(highest) - mel(lowest)) / Double(bands + 1)
    let melCorners = (0..<bands + 2).map { mel(lowest) + step * Double($0) }
    // Where the slopes are straight.
    let corners = shape == .kaldi ? melCorners : melCorners.map(hertz)
    let binWidth = sampleRate / 2 / Double(bins - 1)
    let places = (0..<bins).map { bin in
      let frequency = Double(bin) * binWidth
      return shape == .kaldi ? mel(frequency) : frequency
    }
    self.bands = (0..<bands).map { band in
      let (left, centre, right) = (corners[band], corners[band + 1], corners[band + 2])
      let fall = shape == .speechbrain ? centre - left : right - centre
      let foot = shape == .speechbrain ? centre + fall : right
      let weights = (0..<(shape == .kaldi ? bins - 1 : bins)).map { bin in
        max(0, min((places[bin] - left) / (centre - left), (foot - places[bin]) / fall))
      }
      let first = weights.firstIndex { $0 > 0 } ?? 0
      return Band(first: first, weights: Array(weights[first...].prefix { $0 > 0 }))
    }
  }
}
