import DataParallel
import Foundation
import Recipes
import SpeakerNet
import TensorCore
import TensorFiles
import Testing

/// Every recipe, small, against PyTorch: the fixtures' README says how they were made.
@Suite struct PyTorchTests {
  static let tolerance = 1e-4

  @Test("there is a fixture for every recipe") func completeness() {
    #expect(Set(Fixture.recipeNames) == Set(RecipeFile.names))
  }

  @Test("a fixture is a small network of its recipe's parts", arguments: Fixture.recipeNames) func parts(
    _ name: String
  ) throws {
    let recipe = try RecipeFile.model(name)
    let small = try Fixture(name).model.configuration
    #expect(small.encoder.kind == recipe.encoder.kind)
    #expect(small.encoder.layers == min(3, recipe.encoder.layers))
    #expect(small.encoder.heads == recipe.encoder.heads)
    #expect(small.pooling.kind == recipe.pooling.kind && small.pooling.name == recipe.pooling.name)
    #expect(small.head == recipe.head)
    #expect(small.loss == recipe.loss)
  }

  @Test("one recipe of each encoder at 1, 7 and 400 frames") func otherLengths() throws {
    let others = Fixture.names.filter { !Fixture.recipeNames.contains($0) }
    let kinds = try Dictionary(grouping: others) { try Fixture($0).model.configuration.encoder.kind }
    #expect(Set(kinds.keys) == Set(ModelConfiguration.EncoderKind.allCases))
    for (kind, names) in kinds {
      let lengths = try names.map { try Fixture($0).frames }
      #expect(lengths.sorted() == [1, 7, 400], "\(kind): \(names)")
    }
  }

  @Test("loss, logits, every gradient and every statistic of a batch are PyTorch's", arguments: Fixture.names)
  func step(_ name: String) throws {
    let fixture = try Fixture(name)
    let state = try fixture.state()
    let result = fixture.gradients(state, Workspace())
    let loss = try fixture.values("loss")[0]
    #expect(abs(result.loss - loss) <= 1e-5 * abs(loss))
    #expect(try fixture.distance(result.logits, "logits") <= Self.tolerance)
    var total = 0.0
    for value in result.gradients { total += Double(value) * Double(value) }
    for entry in fixture.model.layout.entries where entry.isTrained {
      let place = entry.parameter
      let gradient = Array(result.gradients[place.offset..<place.offset + place.count])
      let noise = try fixture.noise("grad.\(entry.name)")
      let distance = try fixture.distance(gradient, "grad.\(entry.name)")
      #expect(distance <= Self.tolerance, "\(entry.name)")
      let noiseLength = noise.reduce(0.0) { $0 + Double(gradient[$1]) * Double(gradient[$1]) }.squareRoot()
      #expect(noiseLength <= 1e-5 * total.squareRoot(), "\(entry.name)")
    }
    let buffers = fixture.tensors(below: "buffer_after.").names
    #expect(Set(buffers) == Set(fixture.tensors(below: "param.").names.filter(isBuffer)))
    for buffer in buffers {
      let values = try state.stateDict().tensor(buffer, in: name).float32ValuesOfAnyType()
      #expect(try fixture.distance(values, "buffer_after.\(buffer)") <= Self.tolerance, "\(buffer)")
    }
  }

  @Test("a parameter that gets no gradient in PyTorch gets none here") func untrained() throws {
    for name in Fixture.names {
      let fixture = try Fixture(name)
      let here = Set(fixture.model.layout.entries.filter(\.isTrained).map(\.name))
      #expect(here == Set(fixture.tensors(below: "grad.").names), "\(name)")
    }
  }

  @Test("logits of an evaluation are PyTorch's", arguments: Fixture.names)
  func evaluation(_ name: String) throws {
    let fixture = try Fixture(name)
    try #require(fixture.tensors["eval_logits"] != nil)
    var pass = Pass(
      samples: fixture.samples, frames: fixture.frames, globalSamples: fixture.samples, mode: .evaluation,
      state: try fixture.state(), gradients: nil, workspace: Workspace())
    let input = pass.matrix(fixture.samples * fixture.frames, SpeakerModel.homeworkBands)
    fixture.mels.withUnsafeBufferPointer { input.base.update(from: $0.baseAddress!, count: $0.count) }
    let logits = fixture.model.logits(input, &pass)
    let values = Array(UnsafeBufferPointer(start: logits.base, count: logits.count))
    #expect(try fixture.distance(values, "eval_logits") <= Self.tolerance)
  }

  @Test("losses and parameters of ten steps of AdamW are PyTorch's", arguments: Fixture.recipeNames)
  func tenSteps(_ name: String) throws {
    let fixture = try Fixture(name)
    try #require(fixture.tensors["step_losses"] != nil)
    let train = try JSON.parse(Array((fixture.tensors.metadata["train"] ?? "").utf8), name: name)
    let rates = (train["learning_rates"]?.array ?? []).compactMap(\.double)
    #expect(rates.count == 10)
    let state = try fixture.state()
    let workspace = Workspace()
    let optimizer = AdamW(range: 0..<fixture.model.layout.trainedCount, weightDecay: 0.01)
    for (step, rate) in rates.enumerated() {
      let result = fixture.gradients(state, workspace)
      let loss = try fixture.values("step_losses")[step]
      #expect(abs(result.loss - loss) <= 1e-4 * abs(loss), "step \(step)")
      optimizer.update(
        ParameterUpdate(parameters: state.parameters, updates: step, learningRate: rate),
        gradient: result.gradients)
    }
    let after = state.stateDict()
    let before = fixture.tensors(below: "param.")
    #expect(Set(fixture.tensors(below: "step10.").names) == Set(before.names))
    for (stored, _) in fixture.tensors(below: "step10.") {
      let values = try after.tensor(stored, in: name).float32ValuesOfAnyType()
      #expect(try fixture.distance(values, "step10.\(stored)") <= Self.tolerance, "\(stored)")
      guard !stored.contains("running_mean") else { continue }
      let start = try before.tensor(stored, in: name).float32ValuesOfAnyType()
      for index in try fixture.noise("step10.\(stored)") {
        #expect(abs(values[index] - start[index]) <= 2 * Float(rates.reduce(0, +)), "\(stored)[\(index)]")
      }
    }
  }
}

/// The comparisons of ``PyTorchTests`` can fail.
@Suite struct PyTorchControlTests {
  @Test("a parameter that is one percent off is noticed", arguments: Fixture.recipeNames)
  func control(_ name: String) throws {
    let fixture = try Fixture(name)
    for entry in fixture.model.layout.entries where entry.isTrained && entry.shape.count > 1 {
      let state = try fixture.state()
      for element in 0..<entry.parameter.count { state.parameters[entry.parameter.offset + element] *= 1.01 }
      let result = fixture.gradients(state, Workspace())
      // Attention's last layers and the like change the loss little, but some gradient shows it.
      let distances = try fixture.model.layout.entries.filter(\.isTrained).map { other in
        let place = other.parameter.offset..<other.parameter.offset + other.parameter.count
        return try fixture.distance(Array(result.gradients[place]), "grad.\(other.name)")
      }
      #expect(distances.max() ?? 0 > PyTorchTests.tolerance, "\(entry.name)")
    }
  }
}

/// Whether a name in a state dict is that of one of BatchNorm's buffers.
private func isBuffer(_ name: String) -> Bool {
  ["running_mean", "running_var", "num_batches_tracked"].contains { name.hasSuffix(".\($0)") }
}

extension Tensor {
  /// Values of a float or an integer tensor.
  func float32ValuesOfAnyType() throws -> [Float] {
    elementType == .int64 ? try int64Values().map(Float.init) : try float32Values()
  }
}
