import Foundation
import TensorFiles
import Testing
import Training

@Suite struct RecipeTests {
  /// The repository, found from this file.
  static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  /// Parameters in all and in the encoder with 600 speakers, as PyTorch counts them. A model whose count
  /// differs is another model.
  static let parameters: [String: [Int]] = [
    "000-baseline": [125_896, 67_536], "000-sap": [125_977, 67_536],
    "001-original": [125_896, 67_536], "001-modified-6layers": [8_484_952, 7_893_504],
    "001-modified-1layer": [1_907_032, 1_315_584],
    "002-sample": [125_896, 67_536], "002-medium": [573_544, 481_504],
    "002-medium-1layer": [212_416, 120_376],
    "002-strong": [553_144, 461_104], "002-boss": [538_145, 461_104],
    "003-sample": [125_896, 67_536], "003-2layers": [193_432, 135_072], "003-nhead1": [193_432, 135_072],
    "003-nhead4": [193_432, 135_072], "003-3layers": [260_968, 202_608],
    "003-conformer2": [321_304, 262_944], "003-conformer3": [452_776, 394_416],
    "003-conformer4": [584_248, 525_888], "003-linear-head": [446_296, 394_416],
    "003-sap-simple": [446_377, 394_416], "003-sap-full64": [451_545, 394_416],
    "003-sap-full128": [456_793, 394_416],
    "004-task1": [213_240, 154_880], "004-task2": [277_760, 225_720],
  ]

  @Test(arguments: Recipe.all.map(\.name)) func theFileIsTheRecipe(name: String) throws {
    let recipe = try #require(Recipe.all.first { $0.name == name })
    let file = try Configuration.load(file: "\(Self.repository)/configs/\(name).yaml")
    #expect(file == recipe.configuration)
    let counted = try recipe.parameters()
    #expect([counted.total, counted.encoder] == Self.parameters[name])
  }

  @Test func everyFileIsARecipe() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: "\(Self.repository)/configs")
      .filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }
    #expect(Set(files) == Set(Recipe.all.map(\.name)))
    #expect(Recipe.all.count == 24)
  }
}
