import Audio
import Diagnostics
import TestSupport
import Testing

import Training

/// What files of weights tell of the data that they were trained on: text that may be from anywhere.
@Suite("What weights were trained on")
struct TrainingOriginTests {
  private let recipe = FeatureRecipe(AudioSettings(), FeatureSettings())

  @Test("is read from their metadata as it was written", arguments: [0, 1, 7_205])
  func roundTrip(count: Int) throws {
    let names = (0..<count).map { "id\($0) \"é\u{1F600}\\\n" }
    for recipe in [nil, recipe] {
      let origin = TrainingOrigin(speakers: names, recipe: recipe)
      #expect(try TrainingOrigin(origin.metadata, speakers: count, file: "f") == origin)
    }
    #expect(try TrainingOrigin([:], speakers: count, file: "f") == TrainingOrigin())
  }

  @Test(
    "that does not fit them is refused",
    arguments: [
      "", "[", "{}", "null", #"["a"]"#, #"["a", "b", "c"]"#, #"["a", 1]"#, #"["a", null]"#,
      String(repeating: "[", count: 100_000),
    ])
  func names(text: String) {
    expectFailure(saying: "f: speakers among its metadata: expected a JSON list of 2 names") {
      try TrainingOrigin(["speakers": text], speakers: 2, file: "f")
    }
  }

  @Test(
    "whose recipe is none is refused", arguments: ["", "[]", "{", String(repeating: " ", count: 1 << 17)])
  func noRecipe(text: String) {
    expectFailure(saying: "f: what its features were made with") {
      try TrainingOrigin(["recipe": text], speakers: 2, file: "f")
    }
  }

  @Test("is refused or read, whatever becomes of its bytes")
  func fuzz() throws {
    let metadata = TrainingOrigin(speakers: ["a", "é"], recipe: recipe).metadata
    var random = SeededGenerator(seed: 14)
    for _ in 0..<5_000 {
      let text = metadata.mapValues {
        String(decoding: [UInt8]($0.utf8).mutated(using: &random), as: UTF8.self)
      }
      let found = failure {
        let origin = try TrainingOrigin(text, speakers: 2, file: "f")
        #expect(origin.speakers?.count == 2)
        try origin.check(recipe, of: "d", trained: "f") { _ in }
      }
      guard let found else { continue }
      #expect(found.kind == .badData && !found.message.contains("\n"), "\(found)")
    }
  }

  @Test("with another recipe than the data is refused with the key and both values")
  func difference() throws {
    var features = FeatureSettings()
    features.kind = .wespeaker80
    let other = FeatureRecipe(AudioSettings(), features)
    expectFailure(
      saying: "d: kind is wespeaker80 in what its features were made with, where r was trained on dvector40"
    ) {
      try TrainingOrigin(recipe: recipe).check(other, of: "d", trained: "r") { _ in }
    }
    features = FeatureSettings()
    features.bands = 80
    expectFailure(
      .usage, saying: "d: bands is 80 in what its features were made with, where r was trained on 40"
    ) {
      try TrainingOrigin(recipe: recipe).check(
        FeatureRecipe(AudioSettings(), features), of: "d", trained: "r", .usage
      ) { _ in }
    }
    let hostile = try FeatureRecipe(text: #"{"bands": "\u001b[31m\n"}"#, from: "f")
    expectFailure(saying: #"d: bands is "\u001b[31m\n" in"#) {
      try TrainingOrigin(recipe: recipe).check(hostile, of: "d", trained: "r") { _ in }
    }
  }

  @Test("warns of data that does not say, and takes data to fit that nothing is known of")
  func unknown() throws {
    var warnings: [String] = []
    try TrainingOrigin(recipe: recipe).check(nil, of: "d", trained: "r") { warnings.append($0) }
    #expect(warnings.count == 1)
    #expect(warnings[0].hasPrefix("d does not say what its features were made with"))
    try TrainingOrigin().check(recipe, of: "d", trained: "r") { warnings.append($0) }
    try TrainingOrigin(recipe: recipe).check(recipe, of: "d", trained: "r") { warnings.append($0) }
    #expect(warnings.count == 1)
  }
}
