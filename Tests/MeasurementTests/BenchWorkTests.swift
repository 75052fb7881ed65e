import Foundation
import SpeakerNet
import TensorFiles
import Testing
import Measurement
import Training

/// The work that `bench` counts, held against figures that were computed elsewhere.
@Suite struct BenchWorkTests {
  /// recipes.json, beside the fixtures of the networks that it describes.
  static let published: [(name: String, gflop: Double)] = {
    let path = "\(#filePath)/../../SpeakerNetTests/Fixtures/recipes.json"
    guard let recipes = try? JSON.read(path: (path as NSString).standardizingPath).array else { return [] }
    return recipes.map {
      ($0["name"]!.string!.replacingOccurrences(of: "_", with: "-"), $0["gflop_per_step_3x"]!.double!)
    }
  }()

  func work(_ model: ModelConfiguration, oneByOne: Bool = false) -> StepWork {
    StepWork(model, speakers: Recipe.speakers, samples: 4, frames: 128, oneByOne: oneByOne)
  }

  @Test func everyRecipeIsPublished() {
    #expect(Self.published.count == 24)
    #expect(Set(Self.published.map(\.name)) == Set(Recipe.all.map(\.name)))
  }

  @Test(arguments: published.map(\.name)) func theWorkOfAStepIsThePublishedOne(name: String) throws {
    let recipe = try #require(Recipe.all.first { $0.name == name })
    let expected = try #require(Self.published.first { $0.name == name }).gflop
    let gflop = Double(8 * work(recipe.model).operations) * 1e-9
    #expect(abs(gflop - expected) < 1e-3 * expected)
  }

  @Test(arguments: published.map(\.name)) func theProductsAreTheWorkButForWhatIsNoProduct(name: String) throws
  {
    let model = try #require(Recipe.all.first { $0.name == name }).model
    let rows = 4 * 128
    // The first layer's input needs no gradient, and depthwise convolutions have a kernel of their own.
    let first = 2 * rows * SpeakerModel.melBands * model.dModel
    let depthwise =
      model.encoder.kind == .conformer
      ? 6 * rows * model.dModel * model.encoder.kernel * model.encoder.layers : 0
    #expect(work(model).productOperations == work(model).operations - first - depthwise)
  }

  @Test func samplesOneByOneAreTheSameWorkInSmallerProducts() {
    let together = work(ModelConfiguration()), oneByOne = work(ModelConfiguration(), oneByOne: true)
    #expect(oneByOne.operations == together.operations)
    #expect(oneByOne.productOperations == together.productOperations)
    let projection = oneByOne.products.first {
      $0.key.form == .secondTransposed && ($0.key.columns, $0.key.depth) == (240, 80)
    }
    #expect(projection?.key.rows == 128 && projection?.value == 4)
  }

  @Test func aSliceOfTheSampleHasTheseProducts() {
    let products = work(ModelConfiguration()).products
    func count(_ form: ProductShape.Form, _ M: Int, _ N: Int, _ K: Int) -> Int {
      products.first { $0.key.form == form && ($0.key.rows, $0.key.columns, $0.key.depth) == (M, N, K) }?
        .value ?? 0
    }
    #expect(count(.secondTransposed, 512, 80, 40) == 1)  // prenet
    #expect(count(.plain, 512, 40, 80) == 0)  // its input's gradient
    #expect(count(.secondTransposed, 512, 240, 80) == 1)  // queries, keys, values
    #expect(count(.secondTransposed, 128, 128, 40) == 16)  // scores, weights' gradients; 8 heads
    #expect(count(.plain, 128, 40, 128) == 16)  // contexts and the queries' gradients
    #expect(count(.firstTransposed, 128, 40, 128) == 16)  // the values' and the keys' gradients
    #expect(count(.firstTransposed, 600, 80, 4) == 1)  // the last layer's weight
  }
}
