import Audio
import SpeechData
import TestSupport
import Testing

@Suite("Mean normalization")
struct MeanNormalizationTests {
  /// `x - x.mean(0)` of PyTorch 2.13 for `x = [[1, -20, 0.5], [2.5, -3, 0.25], [-4, 7.75, 0.125], [8, 1, -1]]`.
  @Test("takes each band's mean off its frames, as PyTorch does")
  func values() {
    var mels: [Float] = [1, -20, 0.5, 2.5, -3, 0.25, -4, 7.75, 0.125, 8, 1, -1]
    let expected: [Float] = [
      -0.875, -16.4375, 0.53125, 0.625, 0.5625, 0.28125, -5.875, 11.3125, 0.15625, 6.125, 4.5625, -0.96875,
    ]
    let before = mels
    mels.withUnsafeMutableBufferPointer {
      FeatureSettings.MeanNormalization.none.apply(to: $0.baseAddress!, frames: 4, bands: 3)
    }
    #expect(mels == before)
    mels.withUnsafeMutableBufferPointer {
      FeatureSettings.MeanNormalization.utterance.apply(to: $0.baseAddress!, frames: 4, bands: 3)
    }
    #expect(mels == expected)
  }

  @Test(
    "leaves every band a mean of nearly 0, and what is constant exactly 0", arguments: [1, 40, 129, 1_024])
  func means(bands: Int) {
    var random = SeededGenerator(seed: UInt64(bands))
    let frames = 57
    var mels = (0..<frames * bands).map { _ in Float.random(in: -20...10, using: &random) }
    for frame in 0..<frames { mels[frame * bands] = -15.942385 }
    mels.withUnsafeMutableBufferPointer {
      FeatureSettings.MeanNormalization.utterance.apply(to: $0.baseAddress!, frames: frames, bands: bands)
    }
    for band in 0..<bands {
      let sum = (0..<frames).reduce(0.0) { $0 + Double(mels[$1 * bands + band]) }
      #expect(abs(sum / Double(frames)) < 1e-5)
    }
    #expect((0..<frames).allSatisfy { mels[$0 * bands] == 0 })
  }

  @Test("is of the segment that the network sees; what is behind the utterance's end becomes the mean")
  func segments() throws {
    let made = try TestCorpus([[30, 5]], tests: nil)
    try made.pack(1, bands: 3)
    let corpus = try Corpus.open(made.packed)
    try corpus.prepareEverything()
    func segment(_ utterance: Int, _ normalization: FeatureSettings.MeanNormalization) throws -> [Float] {
      var segment = [Float](repeating: .nan, count: 8 * 3)
      try segment.withUnsafeMutableBufferPointer {
        try SegmentReader(corpus: corpus, length: 8, normalization: normalization)
          .copySegment(of: utterance, Crop.validation(seed: 4, utterance: utterance), into: $0.baseAddress!)
      }
      return segment
    }
    func threeTimes(_ frames: [Float]) -> [Float] { frames.flatMap { [$0, $0, $0] } }
    // Frame t of a band is a constant + t: less its mean it is -3.5 … 3.5 wherever the segment begins.
    let whole = try segment(0, .utterance)
    let ramp: [Float] = [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5]
    #expect(whole == threeTimes(ramp))
    #expect(try segment(0, .none) != whole)
    #expect(try segment(1, .utterance) == threeTimes([-2, -1, 0, 1, 2, 0, 0, 0]))
    #expect(try segment(1, .none).suffix(9) == Array(repeating: -20, count: 9))
  }
}
