import Collectives
import Diagnostics
import Foundation
import TensorFiles

/// The options of `recipes`, and the work: the shipped recipes with what their reports publish, or one configuration
/// as if it were one.
public struct RecipesJob: Job {
  /// Configuration files or names of recipes, a later one beating those before it, in place of all recipes.
  public var configurationFiles: [String] = []
  /// `key=value`, beating the file.
  public var overrides: [String] = []
  /// Whether the result is one JSON object.
  public var json = false

  /// Lists the recipes.
  public init() {}

  /// Lists them, on rank 0.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    _ = try communicator.onRankZero {
      let recipes = try chosen()
      if json {
        let object: JSON = ["recipes": .array(try recipes.map { try $0.json() })]
        try console.result(object.serialized())
      } else {
        try console.result(Self.table(recipes))
      }
    }
  }

  private func chosen() throws -> [Recipe] {
    guard let file = configurationFiles.first else {
      guard let override = overrides.first else { return Recipe.all }
      throw Failure(.usage, "--set \(override): expected the --config that it changes")
    }
    let configuration = try Configuration.load(files: configurationFiles, overrides: overrides)
    if let shipped = Recipe.all.first(where: { $0.name == file && $0.configuration == configuration }) {
      return [shipped]
    }
    let name = file.split(separator: "/").last.map(String.init) ?? file
    return [Recipe(name: name.hasSuffix(".yaml") ? String(name.dropLast(5)) : name, configuration)]
  }

  private static func table(_ recipes: [Recipe]) throws -> String {
    var rows = [
      ["recipe", "report", "parameters", "encoder", "valid acc", "private acc", "steps/s", "uttr/s"]
    ]
    for recipe in recipes {
      let parameters = try recipe.parameters()
      let published = recipe.published
      rows.append([
        recipe.name, recipe.report ?? "-", String(parameters.total), String(parameters.encoder),
        published.validationAccuracy.map { String(format: "%.4f", $0) } ?? "-",
        published.privateAccuracy.map { String(format: "%.5f", $0) } ?? "-",
        published.stepsPerSecond.map(text) ?? "-", published.utterancesPerSecond.map(text) ?? "-",
      ])
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let lines = rows.map { row in
      zip(row, widths).enumerated().map { column, cell in
        let space = String(repeating: " ", count: cell.1 - cell.0.count)
        return column < 1 ? cell.0 + space : space + cell.0
      }.joined(separator: "  ")
    }
    return lines.joined(separator: "\n") + "\n\n"
      + "Parameters are counted with \(Recipe.speakers) speakers. Accuracies and speeds are the reports' own,\n"
      + "on the homework's data and a hosted notebook's GPU. Use a recipe with: train --config NAME"
  }

  private static func text(_ range: ClosedRange<Double>) -> String {
    range.lowerBound == range.upperBound
      ? String(format: "%.2f", range.lowerBound)
      : String(format: "%.2f to %.2f", range.lowerBound, range.upperBound)
  }
}

extension Recipe {
  fileprivate func json() throws -> JSON {
    let parameters = try parameters()
    func range(_ range: ClosedRange<Double>?) -> JSON {
      range.map { .array([.number($0.lowerBound), .number($0.upperBound)]) } ?? .null
    }
    return [
      "name": .string(name), "report": report.map(JSON.string) ?? .null,
      "parameters": .integer(parameters.total), "encoder_parameters": .integer(parameters.encoder),
      "published_valid_accuracy": published.validationAccuracy.map(JSON.number) ?? .null,
      "published_at_step": published.step.map(JSON.integer) ?? .null,
      "published_private_accuracy": published.privateAccuracy.map(JSON.number) ?? .null,
      "published_public_accuracy": published.publicAccuracy.map(JSON.number) ?? .null,
      "published_steps_per_s": range(published.stepsPerSecond),
      "published_utterances_per_s": range(published.utterancesPerSecond),
      "assumed": assumed.map(JSON.string) ?? .null, "note": note.map(JSON.string) ?? .null,
      "configuration": configuration.json,
    ]
  }
}
