import Audio
import Collectives
import Diagnostics
import Foundation
import SpeakerNet
import SpeechData
import TensorCore
import TestSupport
import Testing

import Training

@Suite("Predicting sound")
struct SoundPredictorTests {
  private let folder = TemporaryFolder.inMemory()
  private let model: SpeakerModel
  private let state: ModelState
  private let extractor: FeatureExtractor

  init() throws {
    var configuration = ModelConfiguration()
    configuration.dModel = 16
    var features = FeatureSettings()
    features.kind = .wespeaker80
    features.bands = 12
    extractor = try FeatureExtractor(AudioSettings(), features)
    model = try SpeakerModel(configuration, speakers: 5, bands: 12)
    state = ModelState(layout: model.layout)
    state.initialize(seed: 3)
  }

  private func predictor<C: Communicator>(
    _ communicator: C, _ normalization: FeatureSettings.MeanNormalization = .utterance, threads: Int = 1
  ) -> SoundPredictor<C> {
    SoundPredictor(
      communicator: communicator, model: model, state: state, extractor: extractor,
      normalization: normalization, team: EvaluationTeam(threads: threads))
  }

  private var quiet: Console { Console(talks: false) }

  @Test(
    "gives the logits of the packed features, to the bit",
    arguments: FeatureSettings.MeanNormalization.allCases)
  func packed(normalization: FeatureSettings.MeanNormalization) throws {
    let data = try folder.writeSound(speakers: 3, recordings: 4)
    var features = FeatureSettings()
    (features.kind, features.bands) = (.wespeaker80, 12)
    let corpus = try Corpus.open(try folder.packSound(data, to: "packed", features: features))
    let reference = try Predictor(
      communicator: SoloGroup(), model: model, state: state, corpus: corpus, part: .all,
      normalization: normalization, team: EvaluationTeam(threads: 1))(threads: 1, console: quiet)
    let sources = corpus.utterances.map { SoundSource(path: "\(data)/\($0.path)") }
    let (answers, logits) = try predictor(SoloGroup(), normalization)(
      sources, top: 2, rows: .logits, console: quiet)
    #expect(logits == reference)
    for (index, answer) in answers.enumerated() {
      let row = try #require(logits)[index * 5..<index * 5 + 5].map(Double.init)
      let sum = row.map(exp).reduce(0, +)
      let order = (0..<5).sorted { row[$0] > row[$1] }
      let answer = try answer.get()
      #expect(answer.likeliest.map(\.speaker) == Array(order.prefix(2)))
      for likelihood in answer.likeliest {
        #expect(abs(likelihood.probability - exp(row[likelihood.speaker]) / sum) < 1e-12)
      }
      let number = try #require(Int(corpus.utterances[index].path.dropLast(4).suffix(1)))
      #expect(abs(answer.seconds - (1.2 + 0.1 * Double(number))) < 1e-3)
    }
  }

  @Test("of a long recording is the mean of its windows' probabilities, weighted by their frames")
  func long() throws {
    var random = SeededGenerator(seed: 9)
    // 70 s in which the voice changes: windows of 3,000, 2,000 and 1,999 frames.
    let samples = (0..<70 * 16_000).map {
      Float.random(in: -1...1, using: &random) * ($0 < 500_000 ? 0.5 : 0.001)
    }
    let source = SoundSource(path: try folder.write(waveFile(samples), to: "long.wav"))
    let frames = try extractor.features(of: source).0
    #expect(frames.count / 12 == 6_998)
    let workspace = Workspace()
    var expected = [Double](repeating: 0, count: 5)
    for window in [0..<3_000, 3_000..<4_999, 4_999..<6_998] {
      var pass = Pass(
        samples: 1, frames: window.count, globalSamples: 1, mode: .evaluation, state: state, gradients: nil,
        workspace: workspace)
      let mels = pass.matrix(window.count, 12)
      for (index, place) in (window.lowerBound * 12..<window.upperBound * 12).enumerated() {
        mels.base[index] = frames[place]
      }
      FeatureSettings.MeanNormalization.utterance.apply(to: mels.base, frames: window.count, bands: 12)
      let row = (0..<5).map { Double(model.logits(mels, &pass).base[$0]) }
      let sum = row.map(exp).reduce(0, +)
      for speaker in 0..<5 { expected[speaker] += Double(window.count) / 6_998 * exp(row[speaker]) / sum }
    }
    let (answers, logits) = try predictor(SoloGroup())([source], top: 9, rows: .logits, console: quiet)
    let answer = try answers[0].get()
    #expect(answer.seconds == 70)
    #expect(answer.likeliest.count == 5)
    for likelihood in answer.likeliest {
      #expect(abs(likelihood.probability - expected[likelihood.speaker]) < 1e-12)
      #expect(
        abs(Double(try #require(logits)[likelihood.speaker]) - log(expected[likelihood.speaker])) < 1e-6)
    }
    #expect(answer.likeliest.map(\.probability) == answer.likeliest.map(\.probability).sorted(by: >))
  }

  @Test(
    "an embedding is what the head sees: of features and of sound alike, of a long recording the mean of windows"
  )
  func embeddings() throws {
    let data = try folder.writeSound(speakers: 2, recordings: 2)
    var features = FeatureSettings()
    (features.kind, features.bands) = (.wespeaker80, 12)
    let corpus = try Corpus.open(try folder.packSound(data, to: "packed", features: features))
    let reference = try #require(
      try Predictor(
        communicator: SoloGroup(), model: model, state: state, corpus: corpus, part: .all, output: .embedding,
        normalization: .utterance, team: EvaluationTeam(threads: 1))(threads: 1, console: quiet))
    let paths = corpus.utterances.map { "\(data)/\($0.path)" }
    func embed(_ path: String) throws -> [Float] {
      let source = SoundSource(path: path)
      return try #require(try predictor(SoloGroup())([source], top: 0, rows: .embedding, console: quiet).rows)
    }
    #expect(try paths.flatMap { try embed($0) } == reference)
    // Twice the voice, each half as long as a window and half of one: 4,498 frames, which are two windows.
    var random = SeededGenerator(seed: 9)
    let samples = (0..<45 * 16_000).map { _ in Float.random(in: -0.5...0.5, using: &random) }
    let long = try folder.write(waveFile(samples), to: "long.wav")
    let frames = try extractor.features(of: SoundSource(path: long)).0
    let count = frames.count / 12
    #expect(count > 3_000)
    let workspace = Workspace()
    var expected = [Double](repeating: 0, count: 16)
    for window in [0..<(count + 1) / 2, (count + 1) / 2..<count] {
      var pass = Pass(
        samples: 1, frames: window.count, globalSamples: 1, mode: .evaluation, state: state, gradients: nil,
        workspace: workspace)
      let mels = pass.matrix(window.count, 12)
      for (index, place) in (window.lowerBound * 12..<window.upperBound * 12).enumerated() {
        mels.base[index] = frames[place]
      }
      FeatureSettings.MeanNormalization.utterance.apply(to: mels.base, frames: window.count, bands: 12)
      let row = model.embedding(mels, &pass)
      for column in 0..<16 {
        expected[column] += Double(row.base[column]) * Double(window.count) / Double(count)
      }
    }
    for (mine, theirs) in zip(try embed(long), expected) { #expect(abs(Double(mine) - theirs) < 1e-6) }
  }

  @Test(
    "answers for what can be read and says why the rest cannot, the same on any number of ranks and threads")
  func ranks() throws {
    let data = try folder.writeSound(speakers: 2, recordings: 4)
    var sources = (0..<2).flatMap { speaker in
      (0..<4).map { SoundSource(path: "\(data)/speaker\(speaker)/\($0).wav") }
    }
    sources.insert(SoundSource(path: try folder.write("no sound", to: "text.wav")), at: 3)
    sources.insert(SoundSource(path: folder("nothing.wav")), at: 5)
    sources.append(SoundSource(path: try folder.write(waveFile([0.5, 0.25]), to: "two-samples.wav")))
    let alone = try predictor(SoloGroup())(sources, top: 5, rows: .logits, console: quiet)
    #expect(alone.answers.indices.filter { (try? alone.answers[$0].get()) == nil } == [3, 5, 10])
    #expect(alone.answers[5] == .failure(Failure(.missingInput, "\(folder("nothing.wav")): no such file")))
    #expect(alone.rows?.count == 8 * 5)
    let embedded = try predictor(SoloGroup())(sources, top: 5, rows: .embedding, console: quiet)
    #expect(embedded.rows?.count == 8 * 16)
    #expect(embedded.answers.compactMap { try? $0.get() }.allSatisfy { $0.likeliest.isEmpty })
    for (ranks, threads) in [(1, 3), (2, 1), (3, 2), (16, 1)] {
      let found = try ThreadGroup.run(size: ranks) { [sources] group in
        let mine = try predictor(group, threads: threads)(sources, top: 5, rows: .logits, console: quiet)
        let vectors = try predictor(group, threads: threads)(
          sources, top: 5, rows: .embedding, console: quiet)
        return (answers: mine.answers, rows: mine.rows, vectors: vectors.rows)
      }
      for (rank, mine) in found.enumerated() {
        #expect(mine.answers == alone.answers)
        #expect(mine.rows == (rank == 0 ? alone.rows : nil))
        #expect(mine.vectors == (rank == 0 ? embedded.rows : nil))
      }
    }
  }
}
