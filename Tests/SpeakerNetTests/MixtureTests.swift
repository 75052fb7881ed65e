import SpeakerNet
import TensorCore
import Testing

@Suite("The loss of mixtures") struct MixtureTests {
  private static let samples = 3, classes = 7
  private let labels: [Int32] = [2, 6, 0], others: [Int32] = [5, 6, 1], parts: [Float] = [0.3, 0.8, 1]

  /// Cross entropy, and one with a margin, which both labels have.
  static let losses: [ModelConfiguration.Loss] = {
    var margin = ModelConfiguration.Loss()
    margin.kind = .amSoftmax
    margin.scale = 4
    margin.margin = 0.3
    return [ModelConfiguration.Loss(), margin]
  }()

  /// The loss of logits, and its gradient.
  private func loss(
    _ logits: [Float], _ configuration: ModelConfiguration.Loss, mixed: Bool = true
  ) throws -> (loss: Double, correct: Int, gradient: [Float]) {
    var layout = ParameterLayout()
    layout.finish()
    let pass = Pass(
      samples: Self.samples, frames: 1, globalSamples: 6, mode: .training, state: ModelState(layout: layout),
      gradients: nil, workspace: Workspace())
    let y = pass.matrix(Self.samples, Self.classes), dy = pass.matrix(Self.samples, Self.classes)
    for index in logits.indices { y.base[index] = logits[index] }
    let result = labels.withUnsafeBufferPointer { labels in
      others.withUnsafeBufferPointer { others in
        parts.withUnsafeBufferPointer { parts in
          Loss(configuration)(
            y, labels: labels.baseAddress!,
            mixture: mixed ? Mixture(labels: others.baseAddress!, parts: parts.baseAddress!) : nil,
            gradient: dy,
            pass)
        }
      }
    }
    return (result.loss, result.correct, Array(UnsafeBufferPointer(start: dy.base, count: dy.count)))
  }

  @Test("the gradient is that of finite differences", arguments: 0..<2) func differences(_ kind: Int) throws {
    let configuration = Self.losses[kind]
    let logits = GradientCheck.normal(Self.samples * Self.classes, 4)
    let gradient = try loss(logits, configuration).gradient
    for place in logits.indices {
      func value(_ h: Float) throws -> Double {
        var moved = logits
        moved[place] += h
        return try loss(moved, configuration).loss
      }
      let h: Float = 0.05
      // The gradient is of the mean over the global batch, the loss a sum.
      let numerical = try (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * Double(h)) / 6
      #expect(abs(numerical - Double(gradient[place])) < 2e-5, "\(place)")
    }
  }

  @Test("a sample whose part is 1 is as without a mixture; the others lie between their two labels")
  func whole() throws {
    let logits = GradientCheck.normal(Self.samples * Self.classes, 5)
    for configuration in Self.losses {
      let mixed = try loss(logits, configuration), plain = try loss(logits, configuration, mixed: false)
      let last = 2 * Self.classes
      #expect(mixed.gradient[last...].elementsEqual(plain.gradient[last...]))
      #expect(!mixed.gradient[..<last].elementsEqual(plain.gradient[..<last]))
      // Mixed with one of the same speaker: the same but for rounding.
      let second = Self.classes..<last
      for place in second { #expect(abs(mixed.gradient[place] - plain.gradient[place]) < 1e-7) }
    }
  }

  @Test("a mixture is recognised by the label that has the larger part") func recognised() throws {
    var logits = [Float](repeating: 0, count: Self.samples * Self.classes)
    logits[5] = 3  // the other label, which has 0.7
    logits[Self.classes + 6] = 3
    logits[2 * Self.classes + 1] = 3  // the other label, which has nothing
    #expect(try loss(logits, Self.losses[0]).correct == 2)
  }

  @Test("a network's gradient is the mixture of the gradients of its labels", arguments: [4, 300])
  func network(width: Int) throws {
    var configuration = ModelConfiguration()
    configuration.dModel = width
    configuration.encoder.feedforward = 8
    let model = try SpeakerModel(configuration, speakers: Self.classes)
    let state = ModelState(layout: model.layout)
    state.initialize(seed: 3)
    let mels = GradientCheck.normal(Self.samples * 5 * model.bands, 6)
    let part: Float = 0.35
    func gradient(_ labels: [Int32], _ others: [Int32]?) -> (values: [Float], loss: Double) {
      var gradient = [Float](repeating: 0, count: model.layout.trainedCount)
      let loss = gradient.withUnsafeMutableBufferPointer { gradient in
        var pass = Pass(
          samples: Self.samples, frames: 5, globalSamples: Self.samples, mode: .training, state: state,
          gradients: gradient.baseAddress, workspace: Workspace(),
          dropout: RandomStream(seed: 1, purpose: .dropout))
        let input = pass.matrix(pass.rows, model.bands)
        for index in mels.indices { input.base[index] = mels[index] }
        let parts = [Float](repeating: part, count: Self.samples)
        return parts.withUnsafeBufferPointer { parts in
          (others ?? []).withUnsafeBufferPointer { others in
            let mixture =
              others.isEmpty
              ? nil : Mixture(labels: others.baseAddress!, parts: parts.baseAddress!)
            return model.gradients(input, labels: labels, mixture: mixture, &pass).loss.loss
          }
        }
      }
      return (gradient, loss)
    }
    let first = gradient(labels, nil), second = gradient(others, nil), mixed = gradient(labels, others)
    #expect(abs(mixed.loss - (Double(part) * first.loss + Double(1 - part) * second.loss)) < 1e-5)
    let largest = first.values.map(abs).max()!
    let differences = mixed.values.indices.map {
      abs(mixed.values[$0] - (part * first.values[$0] + (1 - part) * second.values[$0]))
    }
    #expect(differences.max()! < 1e-5 * largest)
    #expect(zip(first.values, second.values).contains { abs($0 - $1) > 0.01 * largest })
  }

  @Test("variants widen the last layer, and are no speakers where a network is judged") func variants() throws
  {
    let model = try SpeakerModel(ModelConfiguration(), speakers: 4, variants: 3)
    #expect(model.speakers == 4 && model.classes == 12)
    let pass = Pass(
      samples: 1, frames: 1, globalSamples: 1, mode: .evaluation, state: ModelState(layout: model.layout),
      gradients: nil, workspace: Workspace())
    let logits = pass.matrix(1, 12)
    for index in 0..<12 { logits[0, index] = Float(index) }
    let result = model.loss(ofRow: 0, of: logits, label: 3, pass)
    #expect(result.correct == 1)
    #expect(abs(result.loss - 0.4402) < 1e-3)  // ln(1 + e⁻¹ + e⁻² + e⁻³)
  }
}
