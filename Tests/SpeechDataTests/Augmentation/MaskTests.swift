import Foundation
import SpeechData
import TensorCore
import Testing

@Suite("Masks and draws") struct MaskTests {
  private let settings = AugmentationSettings.only {
    $0.spec.bandMasks = 2
    $0.spec.timeMasks = 2
  }

  @Test("masks hold each band's mean, and nothing else is changed") func fill() {
    let augmenter = Augmenter(settings, scale: FeatureScale(), frames: 128)
    for sample in 0..<50 {
      let crop = Frames(random: 128, sample), before = Frames(crop.values)
      let draws = settings.draws(sample)
      augmenter.mask(crop.matrix, draws)
      let bands = (0..<2).map { draws.bandMask($0, bands: 40) }
      let times = (0..<2).map { draws.timeMask($0, frames: 128) }
      let mean = (0..<40).map { b in (0..<128).reduce(0) { $0 + before.matrix[$1, b] } / 128 }
      let isRight = (0..<128 * 40).allSatisfy { place in
        let (t, b) = place.quotientAndRemainder(dividingBy: 40)
        let isMasked = bands.contains { $0.contains(b) } || times.contains { $0.contains(t) }
        let value = crop.matrix[t, b]
        return isMasked ? abs(value - mean[b]) < 1e-4 : value == before.matrix[t, b]
      }
      #expect(isRight, "sample \(sample)")
    }
  }

  @Test("widths are uniform on 0 to the most, and starts on all that fit, as in SpecAugment") func widths() {
    var widths = [Int](repeating: 0, count: 9), touchesEnd = 0, touchesStart = 0
    let count = 9_000
    for sample in 0..<count {
      let mask = settings.draws(sample).bandMask(1, bands: 40)
      widths[mask.count] += 1
      #expect(mask.lowerBound >= 0 && mask.upperBound <= 40)
      touchesStart += mask.lowerBound == 0 ? 1 : 0
      touchesEnd += mask.upperBound == 40 ? 1 : 0
    }
    // 1,000 each, with a standard deviation of 30.
    #expect(widths.allSatisfy { abs($0 - count / 9) < 150 })
    #expect(abs(touchesStart - touchesEnd) < 100 && touchesStart > 150)
  }

  @Test("one mask covers no more than the given part of the frames") func fraction() {
    let settings = AugmentationSettings.only {
      $0.spec.timeMasks = 1
      $0.spec.timeWidth = 70
      $0.spec.timeFraction = 0.2
    }
    let longest = (0..<3_000).map { settings.draws($0).timeMask(0, frames: 100).count }.max()
    #expect(longest == 20)
  }

  @Test(
    "what is drawn for one kind does not change with the others, and changes with step, shard, sample and seed"
  )
  func independence() {
    var more = settings
    more.warp = 5
    more.noise.probability = 0.5
    more.speed.factors = [0.9, 1, 1.1]
    more.spec.bandMasks = 3
    for sample in 0..<100 {
      #expect(
        more.draws(sample).timeMask(1, frames: 100) == settings.draws(sample).timeMask(1, frames: 100))
    }
    let drawn = [
      settings.draws(1), settings.draws(2), settings.draws(1, step: 1), settings.draws(1, shard: 1),
      settings.draws(1, seed: 1),
    ].map { draws in (0..<2).map { draws.timeMask($0, frames: 1_000) } }
    #expect(Set(drawn).count == drawn.count)
  }

  @Test("at most one of those that exclude each other happens, as often as was asked") func events() {
    let settings = AugmentationSettings.only {
      $0.noise.probability = 0.2
      $0.reverb.probability = 0.3
      $0.dropChunk.probability = 0.1
    }
    var counts: [AugmentationDraws.Event?: Int] = [:]
    for sample in 0..<10_000 { counts[settings.draws(sample).event, default: 0] += 1 }
    #expect(Set(counts.keys) == [.noise, .reverb, .dropChunk, nil])
    // Standard deviations of 30 to 50.
    #expect(abs(counts[.noise]! - 2_000) < 200 && abs(counts[.reverb]! - 3_000) < 230)
    #expect(abs(counts[.dropChunk]! - 1_000) < 150)
    #expect(settings.needsSound && settings.isOn)
  }
}

@Suite("Mixup of samples") struct MixupTests {
  @Test("parts are the quantiles of Beta(α, α)", arguments: ["0.1", "0.2", "0.5", "1.0", "8.0"])
  func quantiles(alpha: String) throws {
    let quantiles = BetaQuantiles(alpha: Double(alpha)!)
    let places = try augmentationFixture("beta.u"), expected = try augmentationFixture("beta.\(alpha)")
    for (place, value) in zip(places, expected) {
      // The table has steps of 1/4096.
      #expect(abs(quantiles(place) - value) < 2e-3, "at \(place)")
    }
    #expect(quantiles(0) == 0 && quantiles(0.5) == 0.5)
  }

  @Test("each sample is mixed with another one of the slice, both as they were") func mixtures() {
    let settings = AugmentationSettings.only { $0.mixup = 0.4 }
    let samples = 4, frames = 3
    let slice = Frames(random: samples * frames), before = slice.values,
      copy = Frames(random: samples * frames, 9)
    var labels: [Int32] = [5, 6, 7, 8], others: [Int32] = [0, 0, 0, 0], weights: [Float] = [0, 0, 0, 0]
    Mixup(alpha: 0.4)(
      slice.matrix, samples: samples, copy: copy.matrix, labels: &labels, others: &others, weights: &weights
    ) { settings.draws($0) }
    let size = frames * 40
    for sample in 0..<samples {
      let partner = Int(others[sample]) - 5
      #expect(partner != sample && (0..<samples).contains(partner))
      #expect((0...1).contains(weights[sample]))
      for place in 0..<size {
        let expected =
          weights[sample] * before[sample * size + place] + (1 - weights[sample])
          * before[partner * size + place]
        #expect(abs(slice.values[sample * size + place] - expected) < 1e-5)
      }
    }
    #expect(Set(weights).count == samples)
  }

  @Test("every other sample is a partner as often as any") func partners() {
    let settings = AugmentationSettings.only { $0.mixup = 0.4 }
    var counts = [Int](repeating: 0, count: 4)
    for step in 0..<3_000 { counts[settings.draws(2, step: step).partner(of: 2, among: 4)] += 1 }
    #expect(counts[2] == 0 && [0, 1, 3].allSatisfy { abs(counts[$0] - 1_000) < 150 })
  }
}
