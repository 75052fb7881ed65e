import SpeakerNet
import TensorCore
import Testing

/// Samples that go through the network one after another, held against the same samples together.
@Suite("Samples one by one") struct OneByOneTests {
  private static let speakers = 7, samples = 3, frames = 11

  private static let models: [ModelConfiguration] = [
    ModelConfiguration.EncoderKind.transformer, .sharedTransformer, .convTransformer,
  ].map { kind in
    var model = ModelConfiguration()
    model.dModel = 12
    model.encoder.kind = kind
    model.encoder.layers = 2
    model.encoder.heads = 2
    model.encoder.feedforward = 20
    model.encoder.dropout = 0.3
    model.pooling.kind = .sap
    return model
  }

  /// One pass over a run of samples, with what it draws from.
  private func pass(
    _ samples: Int, _ state: ModelState, _ gradients: UnsafeMutablePointer<Float>?, dropout: RandomStream?
  ) -> Pass {
    Pass(
      samples: samples, frames: Self.frames, globalSamples: Self.samples, mode: .training, state: state,
      gradients: gradients, workspace: Workspace(), dropout: dropout)
  }

  private func fill(_ mels: Matrix, from sample: Int = 0) {
    let stream = RandomStream(seed: 4, purpose: .synthesis)
    let first = sample * Self.frames * SpeakerModel.homeworkBands
    for index in 0..<mels.count { mels.base[index] = 2 * stream.uniform(at: first + index) - 1 }
  }

  @Test("dropout drops the same, and logits have the same bits", arguments: models)
  func logits(_ configuration: ModelConfiguration) throws {
    let model = try SpeakerModel(configuration, speakers: Self.speakers)
    #expect(model.takesSamplesOneByOne)
    let state = ModelState(layout: model.layout)
    state.initialize(seed: 3)
    let stream = RandomStream(seed: 5, purpose: .dropout)
    var gradients = [Float](repeating: 0, count: model.layout.trainedCount)
    gradients.withUnsafeMutableBufferPointer { gradients in
      var together = pass(Self.samples, state, gradients.baseAddress, dropout: stream)
      let mels = together.matrix(together.rows, SpeakerModel.homeworkBands)
      fill(mels)
      let expected = model.logits(mels, &together)
      var oneByOne = pass(Self.samples, state, gradients.baseAddress, dropout: stream)
      let again = oneByOne.matrix(oneByOne.rows, SpeakerModel.homeworkBands)
      fill(again)
      let (logits, result) = model.gradients(again, labels: [1, 6, 0], &oneByOne)
      #expect(logits.rows == Self.samples && logits.count == expected.count)
      #expect((0..<expected.count).allSatisfy { logits.base[$0] == expected.base[$0] })
      #expect(result.loss > 0)
      #expect(oneByOne.samples == Self.samples)
    }
  }

  @Test("gradients and losses are the sums of the samples'", arguments: models)
  func sums(_ configuration: ModelConfiguration) throws {
    let model = try SpeakerModel(configuration, speakers: Self.speakers)
    let state = ModelState(layout: model.layout)
    state.initialize(seed: 3)
    let labels: [Int32] = [1, 6, 0]
    func gradients(of range: Range<Int>) -> (gradients: [Float], loss: Double, correct: Int) {
      var gradients = [Float](repeating: .nan, count: model.layout.trainedCount)
      let result = gradients.withUnsafeMutableBufferPointer { gradients in
        var pass = pass(range.count, state, gradients.baseAddress, dropout: nil)
        let mels = pass.matrix(pass.rows, SpeakerModel.homeworkBands)
        fill(mels, from: range.lowerBound)
        return Array(labels[range]).withUnsafeBufferPointer {
          model.gradients(mels, labels: $0.baseAddress!, &pass).loss
        }
      }
      return (gradients, result.loss, result.correct)
    }
    let whole = gradients(of: 0..<Self.samples)
    let parts = (0..<Self.samples).map { gradients(of: $0..<$0 + 1) }
    for index in whole.gradients.indices {
      let sum = parts.reduce(0) { $0 + $1.gradients[index] }
      #expect(abs(whole.gradients[index] - sum) < 2e-6 * max(1, abs(sum)))
    }
    #expect(abs(whole.loss - parts.reduce(0) { $0 + $1.loss }) < 1e-9)
    #expect(whole.correct == parts.reduce(0) { $0 + $1.correct })
  }

  @Test("not with BatchNorm, nor when the weights are large") func exceptions() throws {
    var conformer = ModelConfiguration()
    conformer.encoder.kind = .conformer
    #expect(try !SpeakerModel(conformer, speakers: 7).takesSamplesOneByOne)
    var wide = ModelConfiguration()
    wide.dModel = 512
    #expect(try !SpeakerModel(wide, speakers: 7).takesSamplesOneByOne)
  }
}
