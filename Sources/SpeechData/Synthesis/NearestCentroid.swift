import Audio

/// The simplest classifier of speakers: the nearest mean spectrum.
///
/// An utterance is the mean of its log-mel frames, a speaker the mean of their utterances, and an utterance
/// is given to the speaker at the least Euclidean distance. It uses nothing but the average colour of the
/// sound, so a corpus on which it does well is no task for a network.
public struct NearestCentroid: Sendable {
  /// The mean spectrum of every speaker, [speakers][bands]; not a number for a speaker without utterances.
  public let centroids: [[Float]]

  /// - Parameters:
  ///   - means: the mean spectra of the training utterances, [utterances][bands].
  ///   - labels: their speakers, `0 ..< speakers`.
  ///   - speakers: the number of speakers.
  public init(means: [[Float]], labels: [Int], speakers: Int) {
    precondition(means.count == labels.count, "\(means.count) spectra with \(labels.count) labels")
    let bands = means.first?.count ?? 0
    var sums = [[Float]](repeating: [Float](repeating: 0, count: bands), count: speakers)
    var counts = [Float](repeating: 0, count: speakers)
    for (mean, label) in zip(means, labels) {
      for band in 0..<bands { sums[label][band] += mean[band] }
      counts[label] += 1
    }
    centroids = zip(sums, counts).map { sum, count in sum.map { $0 / count } }
  }

  /// The mean over the frames of a spectrogram of shape [frames, bands], row-major.
  public static func mean(_ spectrogram: [Float], bands: Int = LogMel.bands) -> [Float] {
    var sums = [Double](repeating: 0, count: bands)
    for (index, value) in spectrogram.enumerated() { sums[index % bands] += Double(value) }
    let frames = Double(spectrogram.count / bands)
    return sums.map { Float($0 / frames) }
  }

  /// The speaker whose centroid is nearest to a mean spectrum; the first of several.
  public func speaker(of mean: [Float]) -> Int {
    var best = (speaker: 0, distance: Float.infinity)
    for (speaker, centroid) in centroids.enumerated() {
      let distance = zip(centroid, mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      if distance < best.distance { best = (speaker, distance) }
    }
    return best.speaker
  }

  /// The share of utterances, [utterances][bands], that are given to their speakers.
  public func accuracy(means: [[Float]], labels: [Int]) -> Double {
    let hits = zip(means, labels).count { mean, label in speaker(of: mean) == label }
    return Double(hits) / Double(max(1, labels.count))
  }
}
