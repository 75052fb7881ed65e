import Diagnostics
import SpeechData

/// The kinds of value that are nothing, a path, or several numbers.
extension ConfigurationKey {
  /// The elements of a YAML list on one line, `[1, 2]`; `nil` for what is no list.
  static func list(_ text: String) -> [String]? {
    guard text.first == "[", text.last == "]", text.count >= 2 else { return nil }
    let inside = text.dropFirst().dropLast()
    return inside.split(separator: ",", omittingEmptySubsequences: false).map {
      String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
  }

  /// The text of a list of these elements.
  static func text(list elements: [String]) -> String { "[\(elements.joined(separator: ", "))]" }

  /// A key whose value may be nothing; what is something is read and written by `parse` and `text`.
  private static func optional<Value: Sendable>(
    _ name: String, _ path: Path<Value?>, expected: String, takesText: Bool = false, onResume: OnResume,
    _ help: String, parse: @escaping @Sendable (String) -> Value?, text: @escaping @Sendable (Value) -> String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help, expected: expected, takesText: takesText, onResume: onResume,
      read: { given, configuration in
        if YAMLScalar.isNull(given) {
          configuration[keyPath: path] = nil
          return true
        }
        guard let value = parse(given) else { return false }
        configuration[keyPath: path] = value
        return true
      },
      write: { $0[keyPath: path].map(text) })
  }

  /// A whole number in a range, or nothing, which `null` puts in words.
  static func integer(
    _ name: String, orNull path: Path<Int?>, in range: ClosedRange<Int>, _ null: String,
    onResume: OnResume = .fixed, _ help: String
  ) -> ConfigurationKey {
    optional(
      name, path,
      expected: "a whole number from \(range.lowerBound) to \(range.upperBound), or null for \(null)",
      onResume: onResume, help,
      parse: { text in wholeNumber(text, as: Int.self).flatMap { range.contains($0) ? $0 : nil } },
      text: { String($0) })
  }

  /// A decimal number that satisfies a condition, which `range` puts in words, or nothing.
  static func number(
    _ name: String, orNull path: Path<Double?>, _ range: String, _ null: String, onResume: OnResume = .fixed,
    where allowed: @escaping @Sendable (Double) -> Bool, _ help: String
  ) -> ConfigurationKey {
    optional(
      name, path, expected: "a number \(range), or null for \(null)", onResume: onResume, help,
      parse: { text in decimalNumber(text, as: Double.self).flatMap { allowed($0) ? $0 : nil } },
      text: { YAMLScalar.text(of: $0) })
  }

  /// One of a few words, or nothing.
  static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
    _ name: String, orNull path: Path<Value?>, _ null: String, onResume: OnResume = .fixed, _ help: String
  ) -> ConfigurationKey {
    optional(
      name, path, expected: "\(listed(Value.allCases.map(\.rawValue), "or")), or null for \(null)",
      takesText: true, onResume: onResume, help, parse: { Value(rawValue: $0) }, text: { $0.rawValue })
  }

  /// A folder, or nothing.
  static func folder(
    _ name: String, _ path: Path<String?>, _ null: String, onResume: OnResume = .fixed, _ help: String
  ) -> ConfigurationKey {
    optional(
      name, path, expected: "a folder, or null for \(null)", takesText: true, onResume: onResume, help,
      parse: { $0.contains("\0") ? nil : $0 }, text: { $0 })
  }

  /// Two numbers, the first not above the second, both satisfying a condition, which `range` puts in words.
  static func range(
    _ name: String, _ path: Path<AugmentationSettings.NumberRange>, _ range: String,
    onResume: OnResume = .fixed, where allowed: @escaping @Sendable (Double) -> Bool, _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help, expected: "a list of two numbers \(range), the lower first", takesList: true,
      onResume: onResume,
      read: { text, configuration in
        guard let ends = numbers(text), ends.count == 2, ends[0] <= ends[1], ends.allSatisfy(allowed) else {
          return false
        }
        configuration[keyPath: path] = AugmentationSettings.NumberRange(ends[0], ends[1])
        return true
      },
      write: { text(list: [$0[keyPath: path].low, $0[keyPath: path].high].map { YAMLScalar.text(of: $0) }) })
  }

  /// Two numbers likewise, both satisfying a condition.
  static func range(
    _ name: String, _ path: Path<ClosedRange<Double>>, _ range: String, onResume: OnResume = .fixed,
    where allowed: @escaping @Sendable (Double) -> Bool, _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help, expected: "a list of two numbers \(range), the lower first", takesList: true,
      onResume: onResume,
      read: { text, configuration in
        guard let ends = numbers(text), ends.count == 2, ends[0] <= ends[1], ends.allSatisfy(allowed) else {
          return false
        }
        configuration[keyPath: path] = ends[0]...ends[1]
        return true
      },
      write: { configuration in
        let range = configuration[keyPath: path]
        return text(list: [range.lowerBound, range.upperBound].map { YAMLScalar.text(of: $0) })
      })
  }

  /// Two whole numbers of a range, the first not above the second; or one, which stands for both.
  static func range(
    _ name: String, _ path: Path<ClosedRange<Int>>, in allowed: ClosedRange<Int>,
    onResume: OnResume = .fixed, _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help,
      expected:
        "a whole number from \(allowed.lowerBound) to \(allowed.upperBound), or a list of two, the lower"
        + " first",
      takesList: true, onResume: onResume,
      read: { text, configuration in
        let ends = (list(text) ?? [text]).compactMap { wholeNumber($0, as: Int.self) }
        let count = list(text)?.count ?? 1
        guard ends.count == count, ends.allSatisfy(allowed.contains), let first = ends.first,
          let last = ends.last, count == 2 || list(text) == nil, first <= last
        else { return false }
        configuration[keyPath: path] = first...last
        return true
      },
      write: { configuration in
        let range = configuration[keyPath: path]
        return range.count == 1
          ? String(range.lowerBound) : text(list: [String(range.lowerBound), String(range.upperBound)])
      })
  }

  /// One number or several, none twice, each satisfying a condition, which `range` puts in words.
  static func list(
    _ name: String, _ path: Path<[Double]>, most: Int, _ range: String, onResume: OnResume = .fixed,
    where allowed: @escaping @Sendable (Double) -> Bool, _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help, expected: "a list of 1 to \(most) different numbers \(range)", takesList: true,
      onResume: onResume,
      read: { text, configuration in
        guard let values = numbers(text), (1...most).contains(values.count), values.allSatisfy(allowed),
          Set(values).count == values.count
        else { return false }
        configuration[keyPath: path] = values
        return true
      },
      write: { text(list: $0[keyPath: path].map { YAMLScalar.text(of: $0) }) })
  }

  /// The numbers of a list; `nil` for what is none.
  private static func numbers(_ text: String) -> [Double]? {
    guard let elements = list(text) else { return nil }
    let numbers = elements.compactMap { decimalNumber($0, as: Double.self) }
    return numbers.count == elements.count ? numbers : nil
  }
}
