import Recipes
import SpeakerNet
import TensorFiles
import Testing

/// The work that the layers count, held against figures that were computed elsewhere.
@Suite("Work of a step") struct WorkTests {
  /// Floating-point operations of a step of each recipe, published with its parameters.
  static let published: [(name: String, gflop: Double)] = {
    let json = try? JSON.read(path: Fixture.folder.appendingPathComponent("recipes.json").path)
    return (json?.array ?? []).map {
      ($0["name"]!.string!.replacingOccurrences(of: "_", with: "-"), $0["gflop_per_step_3x"]!.double!)
    }
  }()

  private func model(_ name: String) throws -> SpeakerModel {
    // The speakers of the homework, for which the counts are given.
    try SpeakerModel(RecipeFile.model(name), speakers: 600)
  }

  @Test("of every recipe is the published one", arguments: published.map(\.name))
  func isPublished(name: String) throws {
    #expect(Self.published.count == 24)
    let expected = try #require(Self.published.first { $0.name == name }).gflop
    // A batch of 32 in eight slices.
    let gflop = Double(8 * (try model(name)).work(samples: 4, frames: 128).operations) * 1e-9
    #expect(abs(gflop - expected) < 1e-3 * expected)
  }

  @Test("is that of its products, but for what is no product", arguments: published.map(\.name))
  func isThatOfProducts(name: String) throws {
    let model = try model(name), work = model.work(samples: 4, frames: 128)
    let (configuration, rows) = (model.configuration, 4 * 128)
    // The first layer's input needs no gradient, and depthwise convolutions have a kernel of their own.
    let first = 2 * rows * SpeakerModel.homeworkBands * configuration.dModel
    let encoder = configuration.encoder
    let depthwise =
      encoder.kind == .conformer ? 6 * rows * configuration.dModel * encoder.kernel * encoder.layers : 0
    #expect(work.productOperations == work.operations - first - depthwise)
  }

  @Test("of samples one by one is the same in smaller products")
  func oneByOne() throws {
    let model = try model("003-sample")
    #expect(model.takesSamplesOneByOne)
    let oneByOne = model.work(samples: 4, frames: 128)
    let together = model.workTogether(samples: 4, frames: 128)
    #expect(oneByOne.operations == together.operations)
    #expect(oneByOne.productOperations == together.productOperations)
    #expect(count(oneByOne, .secondTransposed, 128, 240, 80) == 4)
    #expect(count(together, .secondTransposed, 512, 240, 80) == 1)
  }

  @Test("of a slice of the sample model is in these products")
  func products() throws {
    let work = try model("003-sample").workTogether(samples: 4, frames: 128)
    #expect(count(work, .secondTransposed, 512, 80, 40) == 1)  // prenet
    #expect(count(work, .plain, 512, 40, 80) == 0)  // its input's gradient
    #expect(count(work, .secondTransposed, 512, 240, 80) == 1)  // queries, keys, values
    #expect(count(work, .secondTransposed, 128, 128, 40) == 16)  // scores, weights' gradients; 8 heads
    #expect(count(work, .plain, 128, 40, 128) == 16)  // contexts and the queries' gradients
    #expect(count(work, .firstTransposed, 128, 40, 128) == 16)  // the values' and the keys' gradients
    #expect(count(work, .firstTransposed, 600, 80, 4) == 1)  // the last layer's weight
  }

  private func count(_ work: Work, _ form: Work.Product.Form, _ M: Int, _ N: Int, _ K: Int) -> Int {
    work.products.first {
      $0.key.form == form && ($0.key.rows, $0.key.columns, $0.key.depth) == (M, N, K)
    }?.value ?? 0
  }
}
