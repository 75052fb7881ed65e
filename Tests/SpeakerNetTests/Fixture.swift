import Foundation
import Recipes
import SpeakerNet
import TensorCore
import TensorFiles
import Testing
import Yams

/// One of PyTorch's answers, and a model with its parameters.
struct Fixture {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
    "Fixtures")

  /// Every fixture's name.
  static let names: [String] = {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(12)) }.sorted()
  }()

  /// Those of a recipe with all that belongs to it: `NAME`, not `NAME-t400`, which is another length of it.
  static let recipeNames = names.filter { $0.firstMatch(of: #/-t[0-9]+$/#) == nil }

  let name: String
  let tensors: NamedTensors
  let model: SpeakerModel
  let samples: Int, frames: Int
  let mels: [Float]
  let labels: [Int32]

  init(_ name: String) throws {
    self.name = name
    tensors = try Safetensors.read(path: Self.folder.appendingPathComponent("\(name).safetensors").path)
    let shape = try tensors.tensor("mels", in: name).shape
    (samples, frames) = (shape[0], shape[1])
    mels = try tensors.tensor("mels", in: name).float32Values()
    labels = try tensors.tensor("labels", in: name).int64Values().map { Int32($0) }
    let json = try JSON.parse(Array((tensors.metadata["model"] ?? "").utf8), name: name)
    model = try SpeakerModel(
      ModelConfiguration(json: json), speakers: tensors.tensor("logits", in: name).shape[1])
  }

  /// A state with the fixture's parameters.
  func state() throws -> ModelState {
    let state = ModelState(layout: model.layout)
    try state.load(tensors(below: "param."), file: name)
    return state
  }

  func tensors(below prefix: String) -> NamedTensors {
    NamedTensors(
      tensors.filter { $0.name.hasPrefix(prefix) }.map {
        (String($0.name.dropFirst(prefix.count)), $0.tensor)
      })
  }

  func values(_ name: String) throws -> [Float] {
    try tensors.tensor(name, in: self.name).float32ValuesOfAnyType()
  }

  /// Elements of a tensor that no float32 program reproduces (see the fixtures' README).
  func noise(_ name: String) throws -> Range<Int> {
    let json = try JSON.parse(Array((tensors.metadata["noise"] ?? "{}").utf8), name: name)
    guard let range = json[name]?.array, let start = range[0].int, let end = range[1].int else {
      return 0..<0
    }
    return start..<end
  }

  /// The distance of `values` from a tensor of the fixture over the tensor's length, without its noise.
  func distance(_ values: [Float], _ name: String) throws -> Double {
    let expected = try self.values(name)
    let noise = try noise(name)
    var difference = 0.0, length = 0.0
    for index in expected.indices where !noise.contains(index) {
      difference += pow(Double(values[index]) - Double(expected[index]), 2)
      length += pow(Double(expected[index]), 2)
    }
    return length == 0 ? difference.squareRoot() : (difference / length).squareRoot()
  }

  /// One forward and backward pass over the whole batch as a single slice.
  func gradients(_ state: ModelState, _ workspace: Workspace) -> (
    loss: Float, logits: [Float], gradients: [Float]
  ) {
    var gradients = [Float](repeating: .nan, count: model.layout.trainedCount)
    let (loss, logits) = gradients.withUnsafeMutableBufferPointer { buffer in
      var pass = Pass(
        samples: samples, frames: frames, globalSamples: samples, mode: .training, state: state,
        gradients: buffer.baseAddress!, workspace: workspace)
      let input = pass.matrix(samples * frames, SpeakerModel.homeworkBands)
      mels.withUnsafeBufferPointer { input.base.update(from: $0.baseAddress!, count: $0.count) }
      let (logits, result) = model.gradients(input, labels: labels, &pass)
      return (
        Float(result.loss / Double(samples)),
        Array(UnsafeBufferPointer(start: logits.base, count: logits.count))
      )
    }
    state.batchesTracked += 1
    return (loss, logits, gradients)
  }
}

extension ModelConfiguration {
  /// The `model:` part of a configuration as JSON, as a fixture's metadata has it.
  init(json: JSON) throws {
    self.init()
    func text(_ json: JSON?) -> String { json?.string ?? "" }
    dModel = json["d_model"]?.int ?? dModel
    let encoder = json["encoder"]
    self.encoder.kind = EncoderKind(rawValue: text(encoder?["kind"]))!
    self.encoder.layers = encoder?["layers"]?.int ?? 1
    self.encoder.heads = encoder?["heads"]?.int ?? 1
    self.encoder.feedforward = encoder?["feedforward"]?.int ?? 256
    self.encoder.kernel = encoder?["kernel"]?.int ?? 31
    self.encoder.dropout = Float(encoder?["dropout"]?.double ?? 0.1)
    self.encoder.parameterLimit = encoder?["parameter_limit"]?.int
    let pooling = json["pooling"]
    self.pooling.kind = PoolingKind(rawValue: text(pooling?["kind"]))!
    self.pooling.attention = pooling?["attention"]?.int ?? 64
    self.pooling.name = PoolingName(rawValue: text(pooling?["name"])) ?? .attentionPooling
    head = Head(rawValue: text(json["head"]))!
    let loss = json["loss"]
    self.loss.kind = LossKind(rawValue: text(loss?["kind"]))!
    self.loss.scale = Float(loss?["scale"]?.double ?? 30)
    self.loss.margin = Float(loss?["margin"]?.double ?? 0.35)
  }
}

extension RecipeFile {
  /// The names of all recipes.
  static let names = all.map(\.name)

  /// The network of a recipe at full size.
  static func model(_ name: String) throws -> ModelConfiguration {
    let file = try #require(named(name))
    let root = try #require(try Yams.compose(yaml: file.yaml)?.mapping)
    return try ModelConfiguration(json: JSON(try #require(root["model"])))
  }
}

extension JSON {
  fileprivate init(_ node: Node) {
    if let mapping = node.mapping {
      self = .object(JSONObject(mapping.map { ($0.key.string ?? "", JSON($0.value)) }))
    } else {
      self = node.int.map(JSON.integer) ?? node.float.map(JSON.number) ?? .string(node.string ?? "")
    }
  }
}
