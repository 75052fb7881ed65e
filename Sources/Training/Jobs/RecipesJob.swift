import Collectives
import Foundation
import TensorFiles

/// The options of `recipes`, and the work: the shipped recipes with what their reports publish.
public struct RecipesJob: Job {
  /// Whether the result is one JSON object.
  public var json = false

  /// Lists the recipes.
  public init() {}

  /// Lists them, on rank 0.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    _ = try group.onRankZero {
      if json {
        let recipes = try Recipe.all.map { try JSON.object($0.json()) }
        try console.result(JSON.object(JSONObject([("recipes", .array(recipes))])).serialized())
      } else {
        try console.result(Self.table())
      }
    }
  }

  private static func table() throws -> String {
    var rows = [
      ["recipe", "report", "parameters", "encoder", "valid acc", "private acc", "steps/s", "uttr/s"]
    ]
    for recipe in Recipe.all {
      let parameters = try recipe.parameters()
      let published = recipe.published
      rows.append([
        recipe.name, recipe.report, String(parameters.total), String(parameters.encoder),
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
      + "on the homework's data and a hosted notebook's GPU. Use a recipe with: train --config configs/NAME.yaml"
  }

  private static func text(_ range: ClosedRange<Double>) -> String {
    range.lowerBound == range.upperBound
      ? String(format: "%.2f", range.lowerBound)
      : String(format: "%.2f to %.2f", range.lowerBound, range.upperBound)
  }
}

extension Recipe {
  fileprivate func json() throws -> JSONObject {
    let parameters = try parameters()
    func number(_ value: Double?) -> JSON { value.map(JSON.number) ?? .null }
    func range(_ range: ClosedRange<Double>?) -> JSON {
      range.map { .array([.number($0.lowerBound), .number($0.upperBound)]) } ?? .null
    }
    return JSONObject([
      ("name", .string(name)), ("report", .string(report)),
      ("parameters", .integer(parameters.total)), ("encoder_parameters", .integer(parameters.encoder)),
      ("published_valid_accuracy", number(published.validationAccuracy)),
      ("published_private_accuracy", number(published.privateAccuracy)),
      ("published_steps_per_s", range(published.stepsPerSecond)),
      ("published_utterances_per_s", range(published.utterancesPerSecond)),
    ])
  }
}
