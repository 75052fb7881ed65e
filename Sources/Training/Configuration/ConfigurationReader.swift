import Diagnostics
import Foundation
import TensorFiles
import Recipes
import Yams

extension Configuration {
  /// Reads a configuration: `overrides` beat the files, of which later ones beat earlier ones, and all beat `defaults`.
  ///
  /// - Parameters:
  ///   - files: YAML files, or names of shipped recipes and augmentations where there are no such files.
  ///   - overrides: `key=value` with dotted keys, as `--set` takes them; the last of a key wins.
  ///   - defaults: what keys have that neither names.
  /// - Throws: `Failure` with the file and line or the `--set`, the key, what was expected and what was
  ///   found; for an unknown key or recipe, the nearest known one.
  public static func load(
    files: [String], overrides: [String] = [], defaults: Configuration = Configuration()
  ) throws -> Configuration {
    var reader = ConfigurationReader(configuration: defaults)
    for file in files {
      let source = try ConfigurationSource(file)
      try reader.read(yaml: source.yaml, named: source.name)
    }
    for override in overrides { try reader.apply(override: override) }
    try reader.checkTogether()
    return reader.configuration
  }

  /// The same of one file, or of none.
  public static func load(
    file: String?, overrides: [String] = [], defaults: Configuration = Configuration()
  ) throws -> Configuration {
    try load(files: file.map { [$0] } ?? [], overrides: overrides, defaults: defaults)
  }

  /// Reads a configuration from YAML text; `name` stands for the file in messages.
  public static func parse(
    yaml: String, name: String = "configuration", defaults: Configuration = Configuration()
  ) throws -> Configuration {
    var reader = ConfigurationReader(configuration: defaults)
    try reader.read(yaml: yaml, named: name)
    try reader.checkTogether()
    return reader.configuration
  }
}

/// What `--config` names: a file, or a shipped recipe.
private struct ConfigurationSource {
  /// What messages call it.
  let name: String
  let yaml: String

  init(_ file: String) throws {
    var isDirectory: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: file, isDirectory: &isDirectory)
    if !exists || isDirectory.boolValue, let recipe = RecipeFile.named(file) {
      self.name = "the recipe \(file)"
      self.yaml = recipe.yaml
      return
    }
    guard exists else { throw Failure(.missingInput, Self.missing(file)) }
    guard !isDirectory.boolValue else {
      throw Failure(.usage, "\(file): expected a configuration file, found a folder")
    }
    guard let text = String(validating: try InputFile.readText(path: file), as: UTF8.self) else {
      throw Failure(.usage, "\(file): expected a YAML file in UTF-8")
    }
    name = file
    yaml = text
  }

  /// The message for what is neither a file nor a recipe; a recipe that was meant is named.
  private static func missing(_ file: String) -> String {
    let last = String(file.split(separator: "/").last ?? "")
    let stem = last.hasSuffix(".yaml") ? String(last.dropLast(5)) : last
    let names = (RecipeFile.all + RecipeFile.augmentations).map(\.name)
    if stem != last || file != last {
      let hint = names.contains(stem) ? "; the recipe that is shipped is --config \(stem)" : ""
      return "\(file): there is no such configuration file\(hint)"
    }
    if let nearest = Nearest.match(stem, among: names) {
      return "\(file): there is no such configuration file or recipe: did you mean '\(nearest)'?"
        + " 'speakerid-dist recipes' lists them"
    }
    return "\(file): there is no such configuration file or recipe; the recipes are \(listed(names, "and"))"
  }
}

/// Fills a configuration from YAML and from `--set`, and remembers where each key was given.
struct ConfigurationReader {
  /// What has been read so far.
  private(set) var configuration: Configuration
  /// Where a key was given: `configs/a.yaml:7` or `--set`.
  private var origins: [String: String] = [:]
  /// Those of the file that is read, where none may be given twice.
  private var originsInFile: [String: String] = [:]

  init(configuration: Configuration) { self.configuration = configuration }

  // MARK: A file

  /// Reads one YAML document. An empty one is no error.
  mutating func read(yaml: String, named file: String) throws {
    originsInFile = [:]
    let root: Node?
    do {
      root = try Yams.compose(yaml: yaml)
    } catch let error as YamlError {
      throw Failure(.usage, error.oneLine(file: file))
    }
    if let root { try read(group: "", root, at: file, of: file) }
  }

  private mutating func read(group: String, _ node: Node, at place: String, of file: String) throws {
    if let scalar = node.scalar, YAMLScalar.isNull(scalar.string), scalar.style == .plain { return }
    guard let mapping = node.mapping else {
      let what = group.isEmpty ? "" : " \(group):"
      throw Failure(.usage, "\(place):\(what) expected keys and values, found \(node.kind)")
    }
    for (key, value) in mapping {
      let line = "\(file):\((key.mark ?? value.mark)?.line ?? 1)"
      guard let part = key.scalar?.string else {
        throw Failure(.usage, "\(line): expected a key, found \(key.kind)")
      }
      let name = group.isEmpty ? part : "\(group).\(part)"
      // Where a shipped recipe is from, which changes nothing.
      if name == Recipe.group { continue }
      if let known = ConfigurationKey.named(name) {
        try set(known, value, at: line)
      } else if ConfigurationKey.isGroup(name) {
        try read(group: name, value, at: line, of: file)
      } else {
        throw Failure(.usage, "\(line): \(ConfigurationKey.unknown(name))")
      }
    }
  }

  private mutating func set(_ key: ConfigurationKey, _ value: Node, at place: String) throws {
    if let earlier = originsInFile[key.name] {
      throw Failure(.usage, "\(place): \(key.name) is already given at \(earlier)")
    }
    if key.takesList, let text = value.listText {
      guard key.set(text, in: &configuration) else {
        throw Failure(.usage, "\(place): \(key.name): expected \(key.expected), found \(text)")
      }
      note(key, place)
      return
    }
    guard let scalar = value.scalar else {
      throw Failure(.usage, "\(place): \(key.name): expected \(key.expected), found \(value.kind)")
    }
    // Quotes make text of a number, as they do for every other reader of the file.
    let isText = scalar.style != .plain
    guard key.takesText || !isText, key.set(scalar.string, in: &configuration) else {
      let isNothing = !isText && YAMLScalar.isNull(scalar.string)
      let found = isNothing ? "nothing" : isText ? "the text '\(scalar.string)'" : "'\(scalar.string)'"
      throw Failure(.usage, "\(place): \(key.name): expected \(key.expected), found \(found)")
    }
    note(key, place)
  }

  private mutating func note(_ key: ConfigurationKey, _ place: String) {
    origins[key.name] = place
    originsInFile[key.name] = place
  }

  // MARK: The command line

  /// Applies one `key=value`.
  mutating func apply(override: String) throws {
    guard let equals = override.firstIndex(of: "=") else {
      throw Failure(
        .usage, "--set \(override): expected key=value, for example --set train.total_steps=4000")
    }
    let name = String(override[..<equals])
    let text = String(override[override.index(after: equals)...])
    guard let key = ConfigurationKey.named(name) else {
      throw Failure(.usage, "--set \(override): \(ConfigurationKey.unknown(name))")
    }
    guard key.set(text, in: &configuration) else {
      let found = text.isEmpty ? "nothing" : "'\(text)'"
      throw Failure(.usage, "--set \(override): \(name): expected \(key.expected), found \(found)")
    }
    origins[name] = "--set \(override)"
  }

  // MARK: All of it

  /// Checks what one key alone cannot tell, and names the place of the key that is at fault.
  func checkTogether() throws {
    guard let problem = configuration.inconsistency else { return }
    let place = origins[problem.key].map { "\($0): " } ?? ""
    throw Failure(.usage, "\(place)\(problem.key): \(problem.message)")
  }
}

extension ConfigurationKey {
  /// Whether `name` is a group of keys, like `model.encoder`.
  static func isGroup(_ name: String) -> Bool { all.contains { $0.name.hasPrefix(name + ".") } }

  /// The message for a name that is no key.
  static func unknown(_ name: String) -> String {
    if isGroup(name), let first = all.first(where: { $0.name.hasPrefix(name + ".") }) {
      return "'\(name)' is a group of keys: set one of them, for example \(first.name)"
    }
    if let advice = FamiliarName.advice(name) { return "unknown key '\(name)': \(advice)" }
    let groups = all.flatMap { key in key.groups.indices.map { key.groups[...$0].joined(separator: ".") } }
    guard let nearest = Nearest.match(name, among: all.map(\.name) + groups) else {
      return "unknown key '\(name)'; 'speakerid-dist train --help-config' lists the known ones"
    }
    return "unknown key '\(name)': did you mean '\(nearest)'?"
  }
}

extension Node {
  /// A list of plain scalars as one line of YAML has it; `nil` for anything else.
  fileprivate var listText: String? {
    guard let sequence else { return nil }
    let elements = sequence.compactMap { $0.scalar.flatMap { $0.style == .plain ? $0.string : nil } }
    return elements.count == sequence.count ? ConfigurationKey.text(list: elements) : nil
  }

  /// The node's kind as a person calls it.
  fileprivate var kind: String {
    switch self {
    case .scalar(let scalar): "'\(scalar.string)'"
    case .mapping: "a group of keys"
    case .sequence: "a list"
    case .alias: "an alias"
    }
  }
}

extension YamlError {
  /// The error in one line that begins with the file and, where it is known, the line.
  fileprivate func oneLine(file: String) -> String {
    switch self {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let meanwhile = context.map { " \($0.text)" } ?? ""
      return "\(file):\(mark.line): not valid YAML: \(problem)\(meanwhile) (column \(mark.column))"
    case .duplicatedKeysInMapping(let duplicates, let context):
      return "\(file):\(context.mark.line): the key \(listed(duplicates, "and")) is given more than once"
    case .reader(let problem, _, _, _): return "\(file): not valid YAML: \(problem)"
    default: return "\(file): not valid YAML"
    }
  }
}
