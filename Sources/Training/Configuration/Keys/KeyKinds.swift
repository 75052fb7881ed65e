import Diagnostics

/// The kinds of value a key takes. Each returns a key whose text form round-trips exactly.
extension ConfigurationKey {
  typealias Path<Value> = WritableKeyPath<Configuration, Value> & Sendable

  /// A whole number in a range, and perhaps of a certain form (`odd`).
  static func integer<Value: FixedWidthInteger & Sendable>(
    _ name: String, _ path: Path<Value>, in range: ClosedRange<Value>, form: String = "whole",
    onResume: OnResume = .fixed, where allowed: @escaping @Sendable (Value) -> Bool = { _ in true },
    _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help,
      expected: "\(article(form)) \(form) number from \(range.lowerBound) to \(range.upperBound)",
      onResume: onResume,
      read: { text, configuration in
        guard let value = wholeNumber(text, as: Value.self), range.contains(value), allowed(value)
        else { return false }
        configuration[keyPath: path] = value
        return true
      },
      write: { String($0[keyPath: path]) })
  }

  /// A whole number of 1 or more, or nothing.
  static func limit(
    _ name: String, _ path: Path<Int?>, onResume: OnResume = .free, _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help, expected: "a whole number of 1 or more, or null for no limit", onResume: onResume,
      read: { text, configuration in
        if YAMLScalar.isNull(text) {
          configuration[keyPath: path] = nil
          return true
        }
        guard let value = wholeNumber(text, as: Int.self), value >= 1 else { return false }
        configuration[keyPath: path] = value
        return true
      },
      write: { $0[keyPath: path].map(String.init) })
  }

  /// A decimal number that satisfies a condition, which `range` puts in words.
  static func number<Value: BinaryFloatingPoint & LosslessStringConvertible & Sendable>(
    _ name: String, _ path: Path<Value>, _ range: String, onResume: OnResume = .fixed,
    where allowed: @escaping @Sendable (Value) -> Bool, _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help, expected: "a number \(range)", onResume: onResume,
      read: { text, configuration in
        guard let value = decimalNumber(text, as: Value.self), allowed(value) else { return false }
        configuration[keyPath: path] = value
        return true
      },
      write: { YAMLScalar.text(of: $0[keyPath: path]) })
  }

  /// One of a few words.
  static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
    _ name: String, _ path: Path<Value>, onResume: OnResume = .fixed, _ help: String
  ) -> ConfigurationKey {
    let words = Value.allCases.map(\.rawValue)
    return ConfigurationKey(
      name, help, expected: listed(words, "or"), takesText: true, onResume: onResume,
      read: { text, configuration in
        guard let value = Value(rawValue: text) else { return false }
        configuration[keyPath: path] = value
        return true
      },
      write: { $0[keyPath: path].rawValue })
  }

  /// Yes or no, as YAML 1.2 spells it.
  static func flag(
    _ name: String, _ path: Path<Bool>, onResume: OnResume = .fixed, _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help, expected: "true or false", onResume: onResume,
      read: { text, configuration in
        guard let value = Bool(text) else { return false }
        configuration[keyPath: path] = value
        return true
      },
      write: { String($0[keyPath: path]) })
  }

  private static func article(_ word: String) -> String { "aeiou".contains(word.first ?? "x") ? "an" : "a" }

  /// YAML's decimal integers; no `1_000`, which YAML 1.1 and 1.2 read differently.
  static func wholeNumber<Value: FixedWidthInteger>(_ text: String, as type: Value.Type) -> Value? {
    Value(text)
  }

  /// YAML's decimal fractions; neither Swift's hexadecimal ones nor infinities.
  static func decimalNumber<Value: BinaryFloatingPoint & LosslessStringConvertible>(
    _ text: String, as type: Value.Type
  ) -> Value? {
    guard text.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }) else { return nil }
    guard let value = Value(text), value.isFinite else { return nil }
    return value
  }
}
