import SpeakerNet
import TensorCore
import Testing

/// What a pass tells its batch while it runs.
@Suite("Global batch")
struct GlobalBatchTests {
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
    // A projection large enough to be told of in parts.
    var wide = ModelConfiguration()
    wide.dModel = 512
    wide.encoder.feedforward = 64
    models.append(wide)
    return models
  }()

  @Test("what is said to be final does not change any more, and at the end everything is", arguments: models)
  func finalGradientsStay(_ configuration: ModelConfiguration) throws {
    var said: [(offset: Int, gradients: [Float])] = []
    let gradients = try pass(configuration) { offset, _, gradients, _ in
      said.append((offset, Array(gradients[offset...])))
    }.gradients
    for (offset, earlier) in said {
      let isFinal = earlier == Array(gradients[offset...])
      #expect(isFinal, "from \(offset)")
    }
    #expect(zip(said, said.dropFirst()).allSatisfy { $0.offset > $1.offset })
    #expect(said.last?.offset == 0)
    // The head, the encoder and the first layer are told apart: there is something to hide behind.
    #expect(said.count >= 4)
    let areFinite = gradients.allSatisfy { $0.isFinite }
    #expect(areFinite)
  }

  @Test("parameters that are said to be done with are not read again", arguments: models)
  func parametersMayChange(_ configuration: ModelConfiguration) throws {
    let expected = try pass(configuration) { _, _, _, _ in }
    var mostReleased = 0
    let found = try pass(configuration) { _, released, _, parameters in
      guard released < parameters.count else { return }
      parameters[released...].update(repeating: .nan)
      mostReleased = parameters.count - released
    }
    let areEqual = found.gradients == expected.gradients
    #expect(areEqual)
    #expect(mostReleased > 0)
  }

  @Test("the loss is told once, before the first gradient", arguments: models)
  func lossComesFirst(_ configuration: ModelConfiguration) throws {
    let told = try pass(configuration) { _, _, _, _ in }
    #expect(told.losses.count == 1)
    #expect(told.losses.first?.gradients == 0)
    #expect(told.losses.first?.loss == told.loss)
  }
}

/// What came of a pass over three samples, and what its batch was told of the loss.
private struct Told {
  var gradients: [Float]
  var loss = 0.0
  /// Each loss, and how many times gradients had been told of before.
  var losses: [(loss: Double, gradients: Int)] = []
}

/// - Parameter report: gets both offsets, the gradients and the parameters (those that are trained) of each report.
private func pass(
  _ configuration: ModelConfiguration,
  _ report: @escaping (Int, Int, UnsafeMutableBufferPointer<Float>, UnsafeMutableBufferPointer<Float>) -> Void
) throws -> Told {
  KernelSet.start()
  let model = try SpeakerModel(configuration, speakers: 7)
  let state = ModelState(layout: model.layout)
  state.initialize(seed: 3)
  let count = model.layout.trainedCount
  var told = Told(gradients: [Float](repeating: .nan, count: count))
  let gradients = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
  gradients.initialize(repeating: .nan)
  defer { gradients.deallocate() }
  let parameters = UnsafeMutableBufferPointer(start: state.parameters, count: count)
  let stream = RandomStream(seed: 5, purpose: .dropout)
  let batch = Listener { report($0, $1, gradients, parameters) }
  var pass = Pass(
    samples: 3, frames: 9, globalSamples: 3, mode: .training, state: state,
    gradients: gradients.baseAddress, workspace: Workspace(), dropout: stream, batch: batch)
  let mels = pass.matrix(pass.rows, SpeakerModel.homeworkBands)
  for index in 0..<mels.count { mels.base[index] = Float(stream.uniform(at: index)) }
  told.loss = model.gradients(mels, labels: [1, 6, 0], &pass).loss.loss
  told.losses = batch.losses
  told.gradients = Array(gradients)
  return told
}

/// A batch of one slice, which passes on what it is told.
private final class Listener: GlobalBatch {
  private(set) var losses: [(loss: Double, gradients: Int)] = []
  private var reports = 0
  private let report: (_ final: Int, _ released: Int) -> Void

  init(_ report: @escaping (_ final: Int, _ released: Int) -> Void) { self.report = report }

  func sum(_ values: UnsafeMutablePointer<Float>, count: Int, ofSlice slice: Int, clock: PhaseClock) {}

  func lossIsKnown(_ loss: Loss.Result, ofSlice slice: Int, clock: PhaseClock) {
    losses.append((loss.loss, reports))
  }

  func gradientsAreFinal(from offset: Int, released: Int, ofSlice slice: Int, clock: PhaseClock) {
    reports += 1
    report(offset, released)
  }

  func moment(clock: PhaseClock) {}
}
