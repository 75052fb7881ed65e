import Audio
import SpeechData
import Testing

struct SynthesisTaskTests {
  @Test("the nearest centroid finds clusters that lie apart") func clusters() {
    let means: [[Float]] = [[0, 0], [0, 1], [5, 5], [6, 5], [-4, 9]]
    let classifier = NearestCentroid(means: means, labels: [0, 0, 1, 1, 2], speakers: 4)
    #expect(classifier.centroids[..<3] == [[0, 0.5], [5.5, 5], [-4, 9]])
    #expect(classifier.speaker(of: [5, 6]) == 1)
    #expect(classifier.accuracy(means: [[0, 0], [9, 9], [-3, 8], [0, 1]], labels: [0, 1, 2, 1]) == 0.75)
    #expect(NearestCentroid.mean([1, 2, 3, 6], bands: 2) == [2, 4])
  }

  /// The corpus must not be solved by the average colour of the sound: channels differ more than speakers.
  @Test("the corpus is not solved by the mean spectrum of an utterance") func hardness() throws {
    let corpus = try CorpusSynthesizer(speakers: 12, utterances: 144, testUtterances: 0, seed: 2)
    let means = corpus.utterances.map { NearestCentroid.mean(corpus.features($0)) }
    let labels = corpus.utterances.map { $0 % 12 }
    // Utterance n belongs to speaker n % 12, so the last 36 are three of each speaker.
    let classifier = NearestCentroid(
      means: Array(means.prefix(108)), labels: Array(labels.prefix(108)), speakers: 12)
    let accuracy = classifier.accuracy(means: Array(means.suffix(36)), labels: Array(labels.suffix(36)))
    #expect(accuracy < 0.5)
  }

  @Test("lengths are distributed as the homework's files are") func lengths() throws {
    let homework = LengthDistribution.homework
    #expect(homework.frames(at: 0) == 91 && homework.frames(at: 0.5) == 540 && homework.frames(at: 1) == 7193)
    #expect(LengthDistribution.short.frames(at: 0.5) == 240)
    let corpus = try CorpusSynthesizer(
      speakers: 2, utterances: 20_000, testUtterances: 0, seed: 6, lengths: homework)
    let lengths = corpus.utterances.map { corpus.utterance($0).frames }.sorted()
    // 657.1 is the mean of the homework's 64,666 files.
    let mean = Double(lengths.reduce(0, +)) / Double(lengths.count)
    #expect(abs(mean - 657.1) < 20)
    #expect(
      abs(lengths[10_000] - 540) < 15 && abs(lengths[2000] - 397) < 15 && abs(lengths[18_000] - 1055) < 50)
  }

  @Test("an utterance has as many samples as make its frames, and a file name of its own") func samples()
    throws
  {
    let corpus = try CorpusSynthesizer(speakers: 3, utterances: 500, seed: 6)
    for utterance in corpus.utterances.map(corpus.utterance) {
      #expect(LogMel.frames(samples: utterance.samples) == utterance.frames)
    }
    #expect(Set(corpus.utterances.map { corpus.utterance($0).fileName }).count == 583)
  }
}
