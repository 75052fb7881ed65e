import Audio
import TensorFiles

/// One key of the configuration: its dotted name, what it means, what it takes, and where it is kept.
public struct ConfigurationKey: Sendable {
  /// Whether a resumed run may give the key another value than the run started with.
  public enum OnResume: Sendable {
    /// Another value would be another network, other data or other random numbers: refused.
    case fixed
    /// A deliberate change of plan (a longer run, another learning rate): allowed.
    case free
  }

  /// The dotted name, as in `--set train.total_steps=4000`.
  public let name: String
  /// What the key means, in one line.
  public let help: String
  /// What the key takes, completing the sentence "expected …".
  public let expected: String
  /// Whether the value is a word, and so may be quoted in YAML; a quoted number is text, not a number.
  public let takesText: Bool
  /// Whether the value may be a list of numbers, `[1, 2]`.
  public let takesList: Bool
  /// Whether a resumed run may change it.
  public let onResume: OnResume

  private let read: @Sendable (String, inout Configuration) -> Bool
  private let write: @Sendable (Configuration) -> String?

  init(
    _ name: String, _ help: String, expected: String, takesText: Bool = false, takesList: Bool = false,
    onResume: OnResume,
    read: @escaping @Sendable (String, inout Configuration) -> Bool,
    write: @escaping @Sendable (Configuration) -> String?
  ) {
    self.name = name
    self.help = help
    self.expected = expected
    self.takesText = takesText
    self.takesList = takesList
    self.onResume = onResume
    self.read = read
    self.write = write
  }

  /// The key's value in a configuration, as YAML writes it; `nil` when it has none.
  public func value(in configuration: Configuration) -> String? { write(configuration) }

  /// The key's value in a configuration as JSON, of the type it has in YAML.
  func json(in configuration: Configuration) -> JSON {
    guard let text = write(configuration) else { return .null }
    if takesText { return .string(text) }
    if let parts = Self.list(text) { return .array(parts.map(Self.json)) }
    return Self.json(text)
  }

  private static func json(_ text: String) -> JSON {
    if let flag = Bool(text) { return .bool(flag) }
    return Int(text).map(JSON.integer) ?? Double(text).map(JSON.number) ?? .string(text)
  }

  /// Sets the key from the text of a YAML scalar.
  ///
  /// - Returns: `false`, and no change, when the text is not what the key expects.
  public func set(_ text: String, in configuration: inout Configuration) -> Bool {
    read(text, &configuration)
  }

  /// The key of that dotted name.
  public static func named(_ name: String) -> ConfigurationKey? { byName[name] }

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// The last part of the dotted name.
  var leaf: Substring { name[(name.lastIndex(of: ".").map(name.index(after:)) ?? name.startIndex)...] }

  /// The groups above the key: `["model", "encoder"]` for `model.encoder.kind`.
  var groups: [Substring] { name.split(separator: ".").dropLast() }
}

extension ConfigurationKey {
  /// The most bands that a frame may have.
  static let mostBands = FeatureSettings.mostBands

  /// Every key there is, in the order in which a configuration is written.
  public static let all: [ConfigurationKey] = audio + features + data + augment + model + train

  /// The parts that are written only where something in them is not as it is by default.
  static let optionalParts: Set<Substring> = ["audio", "features", "data", "augment"]
}
