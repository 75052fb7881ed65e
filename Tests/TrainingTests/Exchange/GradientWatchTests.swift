import SpeakerNet
import TensorCore
import Testing

/// What the backward pass says of itself while it runs.
@Suite("Finished gradients")
struct GradientWatchTests {
  static let models: [ModelConfiguration] = {
    var models: [ModelConfiguration] = []
    for (index, kind) in ModelConfiguration.EncoderKind.allCases.enumerated() {
      for (other, head) in ModelConfiguration.Head.allCases.enumerated() {
        var model = ModelConfiguration()
        model.dModel = 8
        model.encoder.kind = kind
        model.encoder.layers = 1 + (index + other) % 3
        model.encoder.feedforward = 12
        model.encoder.kernel = 5
        model.pooling.kind = ModelConfiguration.PoolingKind.allCases[(index + other) % 3]
        model.pooling.attention = 6
        model.head = head
        model.loss.kind = other % 2 == 0 ? .crossEntropy : .amSoftmax
        models.append(model)
      }
    }
    return models
  }()

  @Test("what is said to be final does not change any more, and at the end everything is", arguments: models)
  func finalGradientsStay(_ configuration: ModelConfiguration) throws {
    KernelSet.start()
    let model = try SpeakerModel(configuration, speakers: 7)
    let state = ModelState(layout: model.layout)
    state.initialize(seed: 3)
    let count = model.layout.trainedCount
    var gradients = [Float](repeating: .nan, count: count)
    var said: [(offset: Int, gradients: [Float])] = []
    gradients.withUnsafeMutableBufferPointer { gradients in
      let start = gradients.baseAddress!
      let stream = RandomStream(seed: 5, purpose: .dropout)
      withoutActuallyEscaping({ (offset: Int) in
        said.append((offset, Array(UnsafeBufferPointer(start: start + offset, count: count - offset))))
      }) { watch in
        var pass = Pass(
          samples: 3, frames: 9, globalSamples: 3, mode: .training, state: state, gradients: start,
          workspace: Workspace(), dropout: stream, gradientWatch: watch)
        let mels = pass.matrix(pass.rows, SpeakerModel.melBands)
        for index in 0..<mels.count { mels.base[index] = Float(stream.uniform(at: index)) }
        _ = model.gradients(mels, labels: [1, 6, 0], &pass)
      }
    }
    for (offset, earlier) in said { #expect(earlier == Array(gradients[offset...]), "from \(offset)") }
    #expect(zip(said, said.dropFirst()).allSatisfy { $0.offset > $1.offset })
    #expect(said.last?.offset == 0)
    // The head, the encoder and the first layer are told apart: there is something to hide behind.
    #expect(said.count >= 4)
    let areFinite = gradients.allSatisfy { $0.isFinite }
    #expect(areFinite)
  }
}
