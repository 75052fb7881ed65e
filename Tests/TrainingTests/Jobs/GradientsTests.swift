import Collectives
import Diagnostics
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

    /// - Parameters:
    ///   - bands: of the network and of the batch.
    ///   - silent: of the bands, how many at the end have no weight.
    init(_ recipe: String, bands: Int = 40, silent: Int = 0) throws {
      settings = SmallTraining(recipe, data: "").settings.filter { $0.key.hasPrefix("model.") }
        .map { "\($0)=\($1)" }
      let model = try Configuration.load(file: nil, overrides: settings).model
      // Weights and frames are those of as many bands as have weights, whatever stands beside them.
      let heard = bands - silent
      let drawn = ModelState(layout: try SpeakerModel(model, speakers: 5, bands: heard).layout)
      drawn.initialize(seed: 3)
      try Safetensors.write(Self.widened(drawn.stateDict(), by: silent), to: weights)
      let stream = RandomStream(seed: 8, purpose: .synthesis)
      let mels = (0..<12 * 9 * bands).map { element in
        let (row, band) = element.quotientAndRemainder(dividingBy: bands)
        return 4 * stream.uniform(at: band < heard ? row * heard + band : 1 << 20 + element) - 6
      }
      try Safetensors.write(
        NamedTensors([
          ("mels", Tensor(float32: mels, shape: [12, 9, bands])),
          ("labels", Tensor(int64: (0..<12).map { $0 * 3 % 5 }, shape: [12])),
        ]), to: batch)
    }

    static func copy(_ file: String, to other: String) throws {
      try Safetensors.write(Safetensors.read(path: file), to: other)
    }

    /// A state dict whose first layer takes some more bands, with weights of zero.
    private static func widened(_ weights: NamedTensors, by silent: Int) throws -> NamedTensors {
      NamedTensors(
        try weights.map { name, tensor in
          guard name == "prenet.weight" else { return (name, tensor) }
          let values = try tensor.float32Values(), (rows, heard) = (tensor.shape[0], tensor.shape[1])
          let wide = (0..<rows).flatMap { row in
            values[row * heard..<(row + 1) * heard] + [Float](repeating: 0, count: silent)
          }
          return (name, Tensor(float32: wide, shape: [rows, heard + silent]))
        }, metadata: weights.metadata)
    }

    func gradients(shards: Int, ranks: Int = 1, threads: Int = 1) throws -> NamedTensors {
      let output = "\(folder.path)/gradients-\(shards)-\(ranks)-\(threads).safetensors"
      let configuration = "\(folder.path)/empty.yaml"
      try "".write(toFile: configuration, atomically: false, encoding: .utf8)
      var job = GradientsJob(
        configurationFiles: [configuration], weights: weights, batch: batch, output: output)
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

  @Test("any number of bands goes through the network, and those without a weight change nothing")
  func bands() throws {
    let narrow = try Files("transformer", bands: 24).gradients(shards: 3)
    let wide = try Files("transformer", bands: 80, silent: 56)
    let gradients = try wide.gradients(shards: 3)
    #expect(try wide.gradients(shards: 3, ranks: 3) == gradients)
    for (name, tensor) in narrow {
      let found = try gradients.tensor(name, in: "wide")
      var values = try found.float32Values()
      if name == "grad.prenet.weight" {
        #expect(found.shape[1] == 80)
        values = values.indices.filter { $0 % 80 < 24 }.map { values[$0] }
      } else {
        #expect(found.shape == tensor.shape)
      }
      let expected = try tensor.float32Values()
      #expect(length(zip(values, expected).map { $0 - $1 }) <= 1e-4 * (length(expected) + 1e-3), "\(name)")
    }
  }

  @Test("a batch of other bands than the weights is refused, with both numbers")
  func otherBands() throws {
    let files = try Files("transformer", bands: 24), other = try Files("transformer")
    try Files.copy(other.batch, to: files.batch)
    let failure = #expect(throws: Failure.self) { _ = try files.gradients(shards: 1) }
    #expect(failure?.message.contains("[12, 9, 40], expected [samples, frames, 24]") == true)
  }

  private func length(_ values: [Float]) -> Double {
    values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  }
}
