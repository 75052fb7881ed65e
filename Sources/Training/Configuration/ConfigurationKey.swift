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
  /// Whether a resumed run may change it.
  public let onResume: OnResume

  private let read: @Sendable (String, inout Configuration) -> Bool
  private let write: @Sendable (Configuration) -> String?

  init(
    _ name: String, _ help: String, expected: String, takesText: Bool = false, onResume: OnResume,
    read: @escaping @Sendable (String, inout Configuration) -> Bool,
    write: @escaping @Sendable (Configuration) -> String?
  ) {
    self.name = name
    self.help = help
    self.expected = expected
    self.takesText = takesText
    self.onResume = onResume
    self.read = read
    self.write = write
  }

  /// The key's value in a configuration, as YAML writes it; `nil` when it has none.
  public func value(in configuration: Configuration) -> String? { write(configuration) }

  /// Sets the key from the text of a YAML scalar.
  ///
  /// - Returns: `false`, and no change, when the text is not what the key expects.
  public func set(_ text: String, in configuration: inout Configuration) -> Bool {
    read(text, &configuration)
  }

  /// The last part of the dotted name.
  var leaf: Substring { name[(name.lastIndex(of: ".").map(name.index(after:)) ?? name.startIndex)...] }

  /// The groups above the key: `["model", "encoder"]` for `model.encoder.kind`.
  var groups: [Substring] { name.split(separator: ".").dropLast() }
}
