import Diagnostics
import Foundation
import Recipes
import SpeakerNet
import Testing
import Training

/// The files of `configs` are the one place where a recipe is written.
@Suite("Shipped recipes") struct RecipeTests {
  /// The repository, found from this file.
  static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  @Test("every file of configs is in the program, as it is") func everyFile() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: "\(Self.repository)/configs")
      .filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }
    #expect(files.sorted() == RecipeFile.all.map(\.name).sorted())
    for recipe in RecipeFile.all {
      let file = try String(contentsOfFile: "\(Self.repository)/configs/\(recipe.name).yaml", encoding: .utf8)
      #expect(recipe.yaml == file, "\(recipe.name)")
    }
  }

  @Test("every file of configs/augment is in the program, augments, and goes with every recipe")
  func augmentations() throws {
    let folder = "\(Self.repository)/configs/augment"
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).map {
      "augment/\($0.dropLast(5))"
    }
    #expect(files.sorted() == RecipeFile.augmentations.map(\.name))
    for file in RecipeFile.augmentations {
      let text = try String(contentsOfFile: "\(Self.repository)/configs/\(file.name).yaml", encoding: .utf8)
      #expect(file.yaml == text)
      for recipe in RecipeFile.all {
        let both = try Configuration.load(
          files: [recipe.name, file.name],
          overrides: ["augment.noise.corpus=MUSAN", "augment.reverb.rooms=RIRS_NOISES"])
        #expect(both.augment.isOn && both.augment.needsSound)
        let alone = try Configuration.load(file: recipe.name)
        #expect(both.model == alone.model && both.train == alone.train)
      }
    }
  }

  @Test(
    "a recipe says where it is from and keeps the training of the homework",
    arguments: RecipeFile.all.map(\.name))
  func parts(_ name: String) throws {
    let recipe = try #require(Recipe.all.first { $0.name == name })
    #expect(recipe.report == String(recipe.name.prefix(3)))
    #expect(recipe.configuration.train == TrainConfiguration())
    for accuracy in [
      recipe.published.validationAccuracy, recipe.published.privateAccuracy, recipe.published.publicAccuracy,
    ] { #expect((0..<1).contains(accuracy ?? 0)) }
  }

  @Test("a recipe's figures are those of its file") func figures() throws {
    let recipe = try #require(Recipe.all.first { $0.name == "004-task1" })
    #expect(recipe.published.validationAccuracy == 0.66 && recipe.published.step == 58_000)
    #expect(recipe.published.stepsPerSecond == 11.93...12.33)
    #expect(recipe.model.encoder.kind == .sharedTransformer && recipe.model.encoder.feedforward == 800)
    #expect(recipe.note?.hasPrefix("One layer applied three times.") == true)
    #expect(Recipe.all.first { $0.name == "000-sap" }?.published.stepsPerSecond == 46.67...46.67)
  }

  @Test("a name is as good as the file, and a file of that name wins") func byName() throws {
    let named = try Configuration.load(file: "003-conformer3", overrides: ["train.seed=3"])
    var expected = try Configuration.load(file: "\(Self.repository)/configs/003-conformer3.yaml")
    expected.train.seed = 3
    #expect(named == expected)
    let failure = #expect(throws: Failure.self) {
      try Configuration.load(file: "003-sample", overrides: ["train.shards=3"])
    }
    #expect(failure?.message.hasPrefix("--set train.shards=3: train.shards: 3 shards do not divide") == true)
  }

  @Test(
    "what is not there says what was meant",
    arguments: [
      ("003-sampel", "there is no such configuration file or recipe: did you mean '003-sample'?"),
      ("nonsense", "there is no such configuration file or recipe; the recipes are 000-baseline, 000-sap, "),
      (
        "no/such/configs/002-boss.yaml",
        "there is no such configuration file; the recipe that is shipped is --config 002-boss"
      ),
      ("no/such.yaml", "there is no such configuration file"),
    ])
  func unknownNames(_ name: String, _ message: String) {
    let failure = #expect(throws: Failure.self) { try Configuration.load(file: name) }
    #expect(failure?.kind == .missingInput)
    #expect(failure?.message.hasPrefix("\(name): \(message)") == true, "\(failure?.message ?? "")")
  }

  @Test("what a configuration says of its origin changes nothing") func origin() throws {
    let plain = try Configuration.parse(yaml: "train: {seed: 1}\n")
    for part in ["recipe: {report: 3, mine: [1, {a: b}]}", "recipe: nonsense", "recipe:"] {
      #expect(try Configuration.parse(yaml: "\(part)\ntrain: {seed: 1}\n") == plain)
    }
    #expect(throws: Failure.self) { try Configuration.load(file: nil, overrides: ["recipe.report=3"]) }
  }

  @Test("a configuration comes through a pipe") func pipe() throws {
    let pipe = Pipe()
    try pipe.fileHandleForWriting.write(contentsOf: Data("train: {seed: 5}\n".utf8))
    try pipe.fileHandleForWriting.close()
    let path = "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)"
    #expect(try Configuration.load(file: path).train.seed == 5)
  }
}
