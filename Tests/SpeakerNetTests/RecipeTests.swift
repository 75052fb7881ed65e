import Diagnostics
import Foundation
import Recipes
import SpeakerNet
import TensorFiles
import Testing

/// The 24 systems of the reports: a model whose number of parameters or whose names differ is another model.
@Suite("Recipes") struct RecipeCountTests {
  /// Parameters in all and in the encoder by name, counted with PyTorch at 600 speakers.
  static let table: [String: (total: Int, encoder: Int)] = {
    let json = try? JSON.read(path: Fixture.folder.appendingPathComponent("recipes.json").path)
    let counts = (json?.array ?? []).compactMap { recipe -> (String, (Int, Int))? in
      guard let name = recipe["name"]?.string, let total = recipe["params_total"]?.int,
        let encoder = recipe["params_encoder"]?.int
      else { return nil }
      return (name, (total, encoder))
    }
    return Dictionary(uniqueKeysWithValues: counts)
  }()

  @Test("there are figures of PyTorch's for every recipe") func table() {
    #expect(Self.table.count == 24)
    #expect(Set(Self.table.keys) == Set(RecipeFile.names))
  }

  @Test("a recipe has as many parameters as in PyTorch, and stores them all", arguments: RecipeFile.names)
  func counts(_ name: String) throws {
    let expected = try #require(Self.table[name])
    let model = try SpeakerModel(RecipeFile.model(name), speakers: 600)
    #expect(model.parameterCount == expected.total)
    #expect(model.encoderParameters == expected.encoder)
    // What is stored is what is counted.
    let stored = ModelState(layout: model.layout).stateDict()
    let buffers = ["running_mean", "running_var", "num_batches_tracked"]
    let parameters = stored.filter { pair in !buffers.contains { pair.name.hasSuffix($0) } }
    #expect(parameters.reduce(0) { $0 + $1.tensor.elementCount } == expected.total)
  }

  @Test("weights have the names and shapes of PyTorch's state dict", arguments: Fixture.names) func names(
    _ name: String
  ) throws {
    let fixture = try Fixture(name)
    let expected = fixture.tensors(below: "param.")
    let stored = try fixture.state().stateDict()
    #expect(Set(stored.names) == Set(expected.names))
    for (name, tensor) in expected { #expect(stored[name] == tensor, "\(name)") }
  }

  @Test("a shared layer is stored once, and exported under the name of each of its uses") func sharedLayers()
    throws
  {
    let state = ModelState(layout: try SpeakerModel(RecipeFile.model("004-task2"), speakers: 3).layout)
    state.initialize(seed: 1)
    let once = state.stateDict(), repeated = state.stateDict().repeatingShared()
    let shared = once.names.filter { $0.hasPrefix("encoder.layers.0.") }
    #expect(shared.count == 20)
    let copies = shared.flatMap { name in
      [1, 2].map { name.replacingOccurrences(of: "layers.0.", with: "layers.\($0).") }
    }
    #expect(Set(repeated.names) == Set(once.names).union(copies))
    for copy in copies {
      #expect(repeated[copy] == once["encoder.layers.0." + copy.dropFirst("encoder.layers.0.".count)])
    }
  }

  @Test("an encoder as large as its limit is refused, one smaller by a parameter is not") func limit() throws
  {
    for (name, count) in [("004-task1", 154_880), ("004-task2", 225_720)] {
      var model = try RecipeFile.model(name)
      #expect(model.encoder.parameterLimit == 300_000)
      model.encoder.parameterLimit = count + 1
      #expect(try SpeakerModel(model, speakers: 600).encoderParameters == count)
      model.encoder.parameterLimit = count
      let failure = #expect(throws: Failure.self) { _ = try SpeakerModel(model, speakers: 600) }
      #expect(failure?.kind == .usage)
      #expect(failure?.message.contains("model.encoder.parameter_limit") == true)
      #expect(failure?.message.contains("\(count) parameters") == true)
    }
  }
}

@Suite("Initial values") struct InitializationTests {
  func state(_ name: String, seed: UInt64 = 1) throws -> ModelState {
    let state = ModelState(layout: try SpeakerModel(RecipeFile.model(name), speakers: 4).layout)
    state.initialize(seed: seed)
    return state
  }

  @Test("the layers of nn.TransformerEncoder start as copies, those of a conformer do not")
  func copies() throws {
    func layers(_ name: String, _ prefix: String) throws -> [[Tensor]] {
      let values = try state(name).stateDict()
      return (0..<2).map { layer in values.filter { $0.name.hasPrefix("\(prefix).\(layer).") }.map(\.tensor) }
    }
    let transformer = try layers("003-3layers", "encoder.layers")
    #expect(transformer[0].count == 12 && transformer[0] == transformer[1])
    let conformer = try layers("003-conformer2", "conformer.conformer_layers")
    #expect(conformer[0].count == conformer[1].count && conformer[0] != conformer[1])
  }

  @Test("PyTorch's distributions, from the seed and the place alone", arguments: RecipeFile.names)
  func distributions(_ name: String) throws {
    let state = try state(name)
    for entry in state.layout.entries {
      let values = Array(
        UnsafeBufferPointer(start: state.parameters + entry.parameter.offset, count: entry.parameter.count))
      switch entry.initialization {
      case .zeros: #expect(values.allSatisfy { $0 == 0 })
      case .ones: #expect(values.allSatisfy { $0 == 1 })
      case .uniform(let bound):
        #expect(values.allSatisfy { abs($0) <= bound })
        guard values.count >= 1_000 else { continue }
        let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
        let square = values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(values.count)
        // Six standard deviations of the mean of so many.
        #expect(abs(mean) < 6 * Double(bound) / (3 * Double(values.count)).squareRoot(), "\(entry.name)")
        #expect(
          abs(square * 3 / Double(bound * bound) - 1) < 6 * 0.9 / Double(values.count).squareRoot(),
          "\(entry.name)")
      }
    }
    let attention = state.layout.entries.first { $0.name.hasSuffix("in_proj_weight") }
    if let attention {
      let (rows, columns) = (attention.parameter.rows, attention.parameter.columns)
      #expect(attention.initialization == .uniform(bound: (6 / Float(rows + columns)).squareRoot()))
    }
    #expect(try self.state(name).stateDict() == state.stateDict())
    #expect(try self.state(name, seed: 2).stateDict() != state.stateDict())
  }
}
