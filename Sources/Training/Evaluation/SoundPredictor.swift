import Audio
import Collectives
import Diagnostics
import Foundation
import SpeakerNet
import SpeechData
import TensorCore
import TensorFiles

/// Whose voices are in recordings, or the embeddings of these, shared out over the ranks.
///
/// Features are made as those that the network was trained on. A recording of up to ``window`` frames goes through the
/// network whole; of a longer one the windows do, one after the other (``FrameWindows``), and its probabilities or its
/// embedding are the mean of theirs, weighted by their frames. Memory does not grow with the recording.
package struct SoundPredictor<C: Communicator> {
  let communicator: C
  let model: SpeakerModel
  let state: ModelState
  let extractor: FeatureExtractor
  let normalization: FeatureSettings.MeanNormalization
  let team: EvaluationTeam

  package init(
    communicator: C, model: SpeakerModel, state: ModelState, extractor: FeatureExtractor,
    normalization: FeatureSettings.MeanNormalization, team: EvaluationTeam
  ) {
    self.communicator = communicator
    self.model = model
    self.state = state
    self.extractor = extractor
    self.normalization = normalization
    self.team = team
  }

  /// Frames that go through the network at once: half a minute at 10 ms each.
  package static var window: Int { 3_000 }

  /// Answers for every recording. Collective.
  ///
  /// - Parameters:
  ///   - top: how many speakers are told of each.
  ///   - rows: what rank 0 gets too; nil for nothing. With embeddings, no speakers are told.
  /// - Returns: on every rank, the answers in order, or why there is none; on rank 0, a row of each that was answered:
  ///   its embedding, or the logits of a recording that was one window, the logarithms of the probabilities of others.
  /// - Throws: what is no matter of a single recording.
  package func callAsFunction(
    _ sources: [SoundSource], top: Int, rows output: NetworkOutput?, console: Console
  ) throws -> (answers: [Result<SoundAnswer, Failure>], rows: [Float]?) {
    // One after the other to each: long and short ones are spread, and a rank needs nobody to tell it.
    let shares = (0..<communicator.size).map { rank in
      Array(stride(from: rank, to: sources.count, by: communicator.size))
    }
    let mine = shares[communicator.rank]
    let width = output?.width(model) ?? 0
    var answers = [Result<SoundAnswer, Failure>?](repeating: nil, count: mine.count)
    var rows = [Float](repeating: 0, count: mine.count * width)
    try console.progress((output ?? .logits).verb, unit: "file", total: sources.count) { bar in
      var finished = 0
      try communicator.agreeing {
        try rows.withUnsafeMutableBufferPointer { rows in
          try answers.withUnsafeMutableBufferPointer { answers in
            try team.forEach(
              mine.count,
              done: {
                finished += 1
                bar.reach(sources.count * finished / max(1, mine.count))
              }
            ) { item, workspace in
              let row = UnsafeMutableBufferPointer(rebasing: rows[item * width..<(item + 1) * width])
              answers[item] = try answer(sources[mine[item]], top: top, output ?? .logits, workspace, row)
            }
          }
        }
      }
      bar.reach(sources.count)
    }
    let text = JSON.array(answers.map { Self.json($0!) }).serialized()
    var gathered = [Result<SoundAnswer, Failure>?](repeating: nil, count: sources.count)
    for (share, text) in zip(shares, try communicator.allGather(text: text)) {
      let list = try JSON.parse(Array(text.utf8), name: "another rank").array ?? []
      for (item, json) in zip(share, list) { gathered[item] = try Self.answer(json) }
    }
    let all = gathered.compactMap(\.self)
    guard all.count == sources.count else {
      throw Failure(.internalError, "\(all.count) of \(sources.count) recordings were answered for")
    }
    return (all, output == nil ? nil : try gather(rows, width, shares, all))
  }

  /// Every rank's rows in the order of the recordings, without those that have no answer.
  private func gather(
    _ mine: [Float], _ width: Int, _ shares: [[Int]], _ answers: [Result<SoundAnswer, Failure>]
  ) throws -> [Float]? {
    let rows = try mine.withUnsafeBufferPointer {
      try communicator.gather($0, counts: shares.map { $0.count * width })
    }
    guard let rows else { return nil }
    var places = [Int](repeating: 0, count: answers.count)
    for (place, item) in shares.joined().enumerated() { places[item] = place }
    var ordered: [Float] = []
    for (item, answer) in answers.enumerated() {
      guard case .success = answer else { continue }
      ordered += rows[places[item] * width..<(places[item] + 1) * width]
    }
    return ordered
  }

  // MARK: One recording

  /// - Parameter kept: room for the row; empty if it is not wanted.
  /// - Throws: what is no matter of the recording.
  private func answer(
    _ source: SoundSource, top: Int, _ output: NetworkOutput, _ workspace: Workspace,
    _ kept: UnsafeMutableBufferPointer<Float>
  ) throws -> Result<SoundAnswer, Failure> {
    var windows = FrameWindows(length: Self.window, bands: model.bands)
    let width = output.width(model)
    var mean = WeightedMean(count: width)
    func see(_ frames: ArraySlice<Float>) {
      let count = frames.count / model.bands
      var pass = Pass(
        samples: 1, frames: count, globalSamples: 1, mode: .evaluation, state: state, gradients: nil,
        workspace: workspace)
      let mels = pass.matrix(count, model.bands)
      frames.withUnsafeBufferPointer { mels.base.update(from: $0.baseAddress!, count: $0.count) }
      normalization.apply(to: mels.base, frames: count, bands: model.bands)
      let row = UnsafeBufferPointer(start: output(model, mels, &pass).base, count: width)
      if !kept.isEmpty { _ = kept.update(fromContentsOf: row) }
      mean.add(
        output == .logits ? Likelihood.probabilities(row) : row.map(Double.init), weight: Double(count))
    }
    do throws(Failure) {
      let summary = try extractor.extract(source, minSeconds: 0) { (frames) throws(Failure) in
        windows.push(frames, see)
      }
      windows.finish(see)
      let values = mean.values
      guard values.allSatisfy(\.isFinite) else {
        throw Failure(.badData, "\(source.path): the network's answer is not a finite number")
      }
      if mean.terms > 1, !kept.isEmpty {
        for (place, value) in values.enumerated() {
          kept[place] = Float(output == .logits ? log(max(value, .leastNonzeroMagnitude)) : value)
        }
      }
      let likeliest = output == .logits ? Likelihood.likeliest(top, of: values) : []
      return .success(SoundAnswer(seconds: summary.seconds, likeliest: likeliest))
    } catch {
      guard [.badData, .missingInput, .inputOutput].contains(error.kind) else { throw error }
      return .failure(error)
    }
  }

  // MARK: Between ranks

  private static func json(_ result: Result<SoundAnswer, Failure>) -> JSON {
    switch result {
    case .failure(let failure):
      ["kind": .integer(Int(failure.kind.rawValue)), "message": .string(failure.message)]
    case .success(let answer):
      [
        "seconds": .number(answer.seconds),
        "speakers": .array(
          answer.likeliest.map { [.integer($0.speaker), .number($0.probability)] as JSON }),
      ]
    }
  }

  private static func answer(_ json: JSON) throws(Failure) -> Result<SoundAnswer, Failure> {
    if let message = json["message"]?.string {
      let kind = json["kind"]?.int.flatMap { Failure.Kind(rawValue: numericCast($0)) }
      return .failure(Failure(kind ?? .internalError, message))
    }
    guard let seconds = json["seconds"]?.double, let speakers = json["speakers"]?.array else {
      throw Failure(.internalError, "a rank's answer is none")
    }
    let likeliest = speakers.compactMap { pair -> Likelihood? in
      guard let speaker = pair.array?.first?.int, let probability = pair.array?.last?.double else {
        return nil
      }
      return Likelihood(speaker: speaker, probability: probability)
    }
    return .success(SoundAnswer(seconds: seconds, likeliest: likeliest))
  }
}

/// A mean of vectors that come one after the other; of a single one that itself, to the bit.
private struct WeightedMean {
  private var sums: [Double]
  private var first: [Double] = []
  private var weights = 0.0
  private(set) var terms = 0

  init(count: Int) { sums = Array(repeating: 0, count: count) }

  mutating func add(_ vector: [Double], weight: Double) {
    if terms == 0 { first = vector }
    for index in sums.indices { sums[index] += weight * vector[index] }
    weights += weight
    terms += 1
  }

  var values: [Double] { terms == 1 ? first : sums.map { $0 / weights } }
}
