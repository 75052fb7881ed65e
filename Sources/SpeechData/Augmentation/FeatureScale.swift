import Audio
import Foundation
import TensorCore

/// What augmentation has to know about log-mel features: where the bands lie, and what a number in them means.
public struct FeatureScale: Equatable, Sendable {
  /// Bands of a frame.
  public var bands: Int
  /// The left corner of the lowest band and the right corner of the highest, in Hz.
  public var low: Double, high: Double
  /// What a factor of e in energy is in the features: 1 for natural logarithms, 10 / ln 10 for decibels.
  public var unitsPerNat: Double
  /// What a band without energy holds.
  public var floor: Double

  /// The homework's features unless it is said otherwise: 40 bands, natural logarithms of at least 1e-9.
  public init(
    bands: Int = 40, low: Double = 50, high: Double = 8_000, unitsPerNat: Double = 1,
    floor: Double = log(1e-9)
  ) {
    self.bands = bands
    self.low = low
    self.high = high
    self.unitsPerNat = unitsPerNat
    self.floor = floor
  }

  /// The scale of a front end's features.
  public init(_ front: FrontEndParameters) {
    self.init(
      bands: front.bands, low: front.lowHertz, high: front.highHertz,
      unitsPerNat: front.compression == .decibels ? 10 / Foundation.log(10) : 1,
      floor: front.compression == .decibels ? 10 * log10(front.floor) : log(front.floor))
  }

  /// The scale of the features that a recipe made, as far as it is one that this program writes.
  public init?(_ recipe: FeatureRecipe) {
    let members = Dictionary(recipe.members.map { ($0.key, $0.value) }) { first, _ in first }
    guard let kind = members["kind"].flatMap(FeatureSettings.Kind.init(rawValue:)),
      let bands = members["bands"].flatMap({ Int($0) }), let low = members["low_hz"].flatMap({ Double($0) }),
      let high = members["high_hz"].flatMap({ Double($0) }), bands > 0, 0 <= low, low < high, high < 1e6
    else { return nil }
    var front = FrontEndParameters(kind)
    (front.bands, front.lowHertz, front.highHertz) = (bands, low, high)
    self.init(front)
  }

  /// What multiplying energy by so many decibels adds to the features.
  func shift(decibels: Double) -> Double { decibels * log(10) / 10 * unitsPerNat }

  /// Where the bands of sound played `factor` times as fast are to be found in the features of the sound.
  ///
  /// What was at f is then at factor · f, so the band at f is taken from f / factor, between two bands linearly on the
  /// mel scale (the same in HTK's and Kaldi's). A band's width in Hz grows with 700 + f, the energy in a hertz falls by
  /// the factor; both go into the shift. What would come from above the highest band has no energy.
  func bandMap(speed factor: Double) -> BandMap {
    func mel(_ hertz: Double) -> Double { log(1 + hertz / 700) }
    let step = (mel(high) - mel(low)) / Double(bands + 1)
    return BandMap(
      (0..<bands).map { band in
        let hertz = 700 * (exp(mel(low) + step * Double(band + 1)) - 1)
        let place = (mel(hertz / factor) - mel(low)) / step - 1
        guard place <= Double(bands - 1) + 1e-9 else { return nil }
        return (place, log((700 + hertz) / (700 * factor + hertz)) * unitsPerNat)
      })
  }
}
