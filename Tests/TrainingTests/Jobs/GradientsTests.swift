import Collectives
import Foundation
import SpeakerNet
import TensorCore
import TensorFiles
import TestSupport
import Testing
import Training

/// The gradients of one batch, however it is cut and whoever computes them.
@Suite("Gradients of a batch") struct GradientsTests {
  /// Weights and a batch of 12 samples, in files.
  struct Files {
    let folder = TemporaryFolder()
    let settings: [String]
    var weights: String { "\(folder.path)/weights.safetensors" }
    var batch: String { "\(folder.path)/batch.safetensors" }

    init(_ recipe: String) throws {
      settings = SmallTraining(recipe, data: "").settings.filter { $0.key.hasPrefix("model.") }
        .map { "\($0)=\($1)" }
      let model = try Configuration.load(file: nil, overrides: settings).model
      let state = ModelState(layout: try SpeakerModel(model, speakers: 5).layout)
      state.initialize(seed: 3)
      try Safetensors.write(state.stateDict(), to: weights)
      let stream = RandomStream(seed: 8, purpose: .synthesis)
      let mels = (0..<12 * 9 * 40).map { 4 * stream.uniform(at: $0) - 6 }
      try Safetensors.write(
        NamedTensors([
          ("mels", Tensor(float32: mels, shape: [12, 9, 40])),
          ("labels", Tensor(int64: (0..<12).map { $0 * 3 % 5 }, shape: [12])),
        ]), to: batch)
    }

    func gradients(shards: Int, ranks: Int = 1, threads: Int = 1) throws -> NamedTensors {
      let output = "\(folder.path)/gradients-\(shards)-\(ranks)-\(threads).safetensors"
      let configuration = "\(folder.path)/empty.yaml"
      try "".write(toFile: configuration, atomically: false, encoding: .utf8)
      var job = GradientsJob(
        configurationFile: configuration, weights: weights, batch: batch, output: output)
      job.overrides = settings + ["train.batch_size=24", "train.shards=\(shards)"]
      job.threads = threads
      let prepared = job
      _ = try ThreadGroup.run(size: ranks) { try prepared.run($0, console: Console(talks: false)) }
      return try Safetensors.read(path: output)
    }
  }

  @Test("the same bits on any number of ranks", arguments: SmallTraining.recipes.keys.sorted())
  func ranks(recipe: String) throws {
    let files = try Files(recipe)
    let alone = try files.gradients(shards: 6)
    for (ranks, threads) in [(1, 3), (2, 1), (3, 2), (4, 1), (6, 1)] {
      #expect(try files.gradients(shards: 6, ranks: ranks, threads: threads) == alone, "\(ranks) ranks")
    }
  }

  /// In one piece or in many, BatchNorm included: the slices of a batch are one batch.
  @Test("the same numbers for any number of shards", arguments: SmallTraining.recipes.keys.sorted())
  func shards(recipe: String) throws {
    let files = try Files(recipe)
    let whole = try files.gradients(shards: 1)
    for shards in [2, 3, 12] {
      let pieces = try files.gradients(shards: shards)
      #expect(pieces.names == whole.names)
      let total = try length(
        whole.filter { $0.name.hasPrefix("grad.") }.flatMap { try $0.tensor.float32Values() })
      for (name, tensor) in whole {
        let expected = try tensor.float32Values()
        let values = try pieces.tensor(name, in: "pieces").float32Values()
        // What has no effect (a bias that the softmax or BatchNorm takes away) has nothing but rounding errors.
        let scale = max(length(expected), name.hasPrefix("grad.") ? 1e-2 * total : 0)
        #expect(length(zip(values, expected).map { $0 - $1 }) <= 1e-4 * scale, "\(name), \(shards) shards")
      }
    }
  }

  private func length(_ values: [Float]) -> Double {
    values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  }
}
