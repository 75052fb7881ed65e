import Diagnostics
import Recipes
import SpeakerNet
import TensorFiles
import Testing

/// State dicts as people have them: with dead and doubled names, which are passed over, and of other models,
/// which are refused.
@Suite("Loading weights") struct LoadingTests {
  func state(_ recipe: String, seed: UInt64 = 1) throws -> ModelState {
    let state = ModelState(layout: try SpeakerModel(RecipeFile.model(recipe), speakers: 4).layout)
    state.initialize(seed: seed)
    return state
  }

  /// The tensors of `other` below a prefix, renamed.
  func renamed(_ other: NamedTensors, _ prefix: String, to name: String) -> [(String, Tensor)] {
    other.filter { $0.name.hasPrefix(prefix) }.map { (name + $0.name.dropFirst(prefix.count), $0.tensor) }
  }

  @Test("what a model wrote it reads, whatever was there", arguments: RecipeFile.names)
  func roundTrip(_ recipe: String) throws {
    let written = try state(recipe), read = try state(recipe, seed: 2)
    written.batchesTracked = 12
    #expect(try read.load(written.stateDict(), file: "f") == [])
    #expect(read.stateDict() == written.stateDict())
    let other = try state(recipe, seed: 3)
    try other.load(written.stateDict().repeatingShared(), file: "f")
    #expect(other.stateDict() == written.stateDict())
  }

  @Test("a template layer beside the encoder made of its copies is dead") func deadTemplate() throws {
    var tensors = try state("003-2layers").stateDict()
    let dead = renamed(try state("003-sample").stateDict(), "encoder_layer.", to: "encoder_layer.")
    for (name, tensor) in dead { tensors[name] = tensor }
    #expect(dead.count == 12)
    let read = try state("003-2layers", seed: 2)
    #expect(Set(try read.load(tensors, file: "f")) == Set(dead.map(\.0)))
    #expect(try read.stateDict() == state("003-2layers").stateDict())
  }

  @Test("an encoder beside the one layer that is used is dead") func deadEncoder() throws {
    var tensors = try state("001-modified-1layer").stateDict()
    let dead = renamed(try state("001-modified-6layers").stateDict(), "encoder.", to: "encoder.")
    for (name, tensor) in dead { tensors[name] = tensor }
    let read = try state("001-modified-1layer", seed: 2)
    #expect(Set(try read.load(tensors, file: "f")) == Set(dead.map(\.0)))
  }

  @Test(
    "shared weights under each layer's name, as PyTorch writes them", arguments: ["004-task1", "004-task2"])
  func aliases(_ recipe: String) throws {
    let written = try state(recipe)
    var tensors = written.stateDict().repeatingShared()
    let passedOver = try state(recipe, seed: 2).load(tensors, file: "f")
    #expect(passedOver.count == tensors.count - written.stateDict().count)
    // Three layers of their own are another model.
    let other = try state(recipe, seed: 5).stateDict()
    for (name, tensor) in renamed(other, "encoder.layers.0.", to: "encoder.layers.2.") {
      tensors[name] = tensor
    }
    try expectRefusal(recipe, tensors, "encoder.layers.2.")
  }

  @Test("more layers than the model has are another model") func moreLayers() throws {
    let tensors = try state("003-3layers").stateDict()
    try expectRefusal("003-nhead4", tensors, "encoder.layers.2.")
  }

  @Test("a name that is missing, unknown, or of another shape or type, or a number that is none")
  func refusals() throws {
    let good = try state("003-sap-full64").stateDict()
    let name = "conformer.conformer_layers.1.ffn1.sequential.1.weight"
    let tensor = try #require(good[name])
    let values = try tensor.float32Values()
    let others: [(Tensor?, String)] = [
      (nil, "lack \(name)"),
      (Tensor(float32: values, shape: tensor.shape.reversed()), "[80, 256]"),
      (Tensor(float32: [.nan] + values.dropFirst(), shape: tensor.shape), "not a finite number"),
      (Tensor(float32: [.infinity] + values.dropFirst(), shape: tensor.shape), "not a finite number"),
      (Tensor(int64: values.map { Int($0) }, shape: tensor.shape), ""),
    ]
    for (other, words) in others {
      var tensors = good
      tensors[name] = other
      try expectRefusal("003-sap-full64", tensors, words)
    }
    var more = good
    more["pred_layer.2.weight"] = tensor
    try expectRefusal("003-sap-full64", more, "pred_layer.2.weight")
    try expectRefusal("003-sap-full128", good, "attention_pooling")
    try expectRefusal("003-sample", good, "")
  }

  private func expectRefusal(
    _ recipe: String, _ tensors: NamedTensors, _ words: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let read = try state(recipe, seed: 2)
    let failure = #expect(throws: Failure.self, sourceLocation: sourceLocation) {
      try read.load(tensors, file: "weights.ckpt")
    }
    #expect(failure?.kind == .badData, sourceLocation: sourceLocation)
    #expect(failure?.message.contains("weights.ckpt") == true, sourceLocation: sourceLocation)
    #expect(
      words.isEmpty || failure?.message.contains(words) == true, "\(failure?.message ?? "")",
      sourceLocation: sourceLocation)
  }
}
