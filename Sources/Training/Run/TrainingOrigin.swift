import Audio
import Diagnostics
import SpeechData
import TensorFiles

/// What a network was trained on, as every file of weights that a run writes tells it in its metadata: whose voices,
/// and what their features were made with.
package struct TrainingOrigin: Equatable, Sendable {
  /// The speakers' names by label; nil where nobody noted them.
  package var speakers: [String]?
  /// nil where nobody noted it, as of the homework's features.
  package var recipe: FeatureRecipe?

  /// What is known; nothing of weights from elsewhere.
  package init(speakers: [String]? = nil, recipe: FeatureRecipe? = nil) {
    self.speakers = speakers
    self.recipe = recipe
  }

  /// That of what is trained on data.
  package init(_ data: TrainingData) {
    speakers = data.speakers.names
    recipe = data.corpus.recipe
  }

  private static let speakersKey = "speakers", recipeKey = "recipe"

  /// As it stands in a file of weights.
  package var metadata: [String: String] {
    var metadata: [String: String] = [:]
    metadata[Self.speakersKey] = speakers.map { JSON.array($0.map(JSON.string)).serialized() }
    metadata[Self.recipeKey] = recipe?.text
    return metadata
  }

  /// Reads what ``metadata`` wrote.
  ///
  /// - Parameters:
  ///   - count: how many speakers the weights tell apart.
  ///   - file: stands for them in messages.
  /// - Throws: `.badData` for names that are not those of the weights, and for what is no recipe.
  package init(_ metadata: [String: String], speakers count: Int, file: String) throws(Failure) {
    recipe = try Self.recipe(in: metadata, file: file)
    guard let text = metadata[Self.speakersKey] else { return }
    let names = (try? JSON.parse(Array(text.utf8), name: file))?.array?.map(\.string)
    guard let names, names.count == count, !names.contains(nil) else {
      throw Failure(
        .badData, "\(file): speakers among its metadata: expected a JSON list of \(count) names, one a label")
    }
    speakers = names.compactMap(\.self)
  }

  private static func recipe(in metadata: [String: String], file: String) throws(Failure) -> FeatureRecipe? {
    try metadata[recipeKey].map { text throws(Failure) in try FeatureRecipe(text: text, from: file) }
  }

  /// What is to be said of weights that a training begins with, where they heard other features than it will.
  ///
  /// - Parameters:
  ///   - metadata: of the weights' file.
  ///   - recipe: of the data.
  /// - Throws: `.badData` for what is no recipe.
  package static func remark(
    onWeights metadata: [String: String], file: String, hearing recipe: FeatureRecipe?
  ) throws(Failure) -> String? {
    guard let recipe, let other = try self.recipe(in: metadata, file: file),
      let (key, theirs, mine) = other.difference(to: recipe)
    else { return nil }
    return
      "\(plain(key)) is \(plain(mine)) in what the data's features were made with, where \(file) was trained on"
      + " \(plain(theirs))"
  }

  /// Checks that a corpus's features were made as those that a network was trained on; what nobody noted may be.
  ///
  /// - Parameters:
  ///   - other: the corpus's.
  ///   - directory: where that is.
  ///   - trained: what was trained, for "where … was trained on".
  ///   - kind: of the failure.
  ///   - warn: gets a line where the network's recipe is known and the corpus's is not.
  /// - Throws: a failure that names what differs and both values.
  package func check(
    _ other: FeatureRecipe?, of directory: String, trained: String, _ kind: Failure.Kind = .badData,
    warn: (String) -> Void
  ) throws(Failure) {
    guard let recipe else { return }
    guard let other else {
      return warn(
        "\(directory) does not say what its features were made with: they are taken for such as \(trained) was"
          + " trained on")
    }
    guard let (key, theirs, mine) = other.difference(to: recipe) else { return }
    throw Failure(
      kind,
      "\(directory): \(Self.plain(key)) is \(Self.plain(theirs)) in what its features were made with, where"
        + " \(trained) was trained on \(Self.plain(mine))")
  }

  /// A word of a recipe, which is text from a file: as it is if it is a name or a number.
  private static func plain(_ text: String) -> String {
    let isPlain =
      !text.isEmpty && text.utf8.count <= 40
      && text.utf8.allSatisfy { byte in
        byte > UInt8(ascii: " ") && byte < 0x7F && byte != UInt8(ascii: "\"")
      }
    return isPlain ? text : text.quoted
  }
}
