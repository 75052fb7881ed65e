import SpeakerNet
import TensorCore
import Testing

/// What a pass without memory says that a pass takes, held against passes with memory.
@Suite("The memory of activations") struct ActivationMemoryTests {
  private static let models: [ModelConfiguration] = ModelConfiguration.EncoderKind.allCases.flatMap { kind in
    zip(ModelConfiguration.PoolingKind.allCases, [ModelConfiguration.Head.mlpReLU, .bnLinear, .linear]).map {
      pooling, head in
      var model = ModelConfiguration()
      model.dModel = 12
      model.encoder.kind = kind
      model.encoder.layers = 3
      model.encoder.heads = 2
      model.encoder.feedforward = 20
      model.encoder.kernel = 5
      model.encoder.dropout = 0.3
      model.pooling.kind = pooling
      model.head = head
      if head == .linear { model.loss.kind = .amSoftmax }
      return model
    }
  }

  @Test("it is known to the byte before anything is computed", arguments: models)
  func equal(configuration: ModelConfiguration) throws {
    let model = try SpeakerModel(configuration, speakers: 7)
    let state = ModelState(layout: model.layout)
    state.initialize(seed: 3)
    for (samples, frames) in [(1, 9), (3, 33)] {
      let workspace = Workspace()
      var gradients = [Float](repeating: 0, count: model.layout.trainedCount)
      gradients.withUnsafeMutableBufferPointer { gradients in
        var pass = Pass(
          samples: samples, frames: frames, globalSamples: samples, mode: .training, state: state,
          gradients: gradients.baseAddress, workspace: workspace,
          dropout: RandomStream(seed: 5, purpose: .dropout))
        let mels = pass.matrix(pass.rows, SpeakerModel.homeworkBands)
        for index in 0..<mels.count { mels.base[index] = Float(index % 17) }
        _ = model.gradients(mels, labels: Array(repeating: 1, count: samples), &pass)
      }
      #expect(model.trainingBytes(samples: samples, frames: frames) == workspace.highWater)
      let evaluation = Workspace()
      var pass = Pass(
        samples: 1, frames: frames, globalSamples: 1, mode: .evaluation, state: state, gradients: nil,
        workspace: evaluation)
      let mels = pass.matrix(frames, SpeakerModel.homeworkBands)
      mels.clear()
      _ = model.loss(ofRow: 0, of: model.logits(mels, &pass), label: 1, pass)
      #expect(model.evaluationBytes(frames: frames) == evaluation.highWater)
    }
  }

  @Test("a model that no machine holds is counted all the same") func large() throws {
    var configuration = ModelConfiguration()
    configuration.dModel = 8_192
    configuration.encoder.layers = 256
    configuration.encoder.feedforward = 65_536
    let model = try SpeakerModel(configuration, speakers: 600)
    #expect(model.parameterCount > 300_000_000_000)
    #expect(model.trainingBytes(samples: 8_192, frames: 65_536) > 1 << 50)
  }
}
