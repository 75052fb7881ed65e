import TensorFiles

extension Configuration {
  /// The whole resolved configuration as YAML; reading it gives an equal configuration.
  ///
  /// Of ``ConfigurationKey/optionalParts`` those are left out in which everything is as it is by default.
  /// - Parameter comments: whether every key is explained in a comment, those too.
  public func yaml(comments: Bool = false) -> String {
    var lines: [String] = []
    var open: [Substring] = []
    let defaults = Configuration()
    let changed = Set(
      ConfigurationKey.all.filter { $0.value(in: self) != $0.value(in: defaults) }.map { $0.groups[0] })
    for key in ConfigurationKey.all
    where comments || changed.contains(key.groups[0])
      || !ConfigurationKey.optionalParts.contains(key.groups[0])
    {
      guard let value = key.value(in: self) else {
        if comments { lines += Self.lines(key, value: "null", commentedOut: true) }
        continue
      }
      let groups = key.groups
      let shared = zip(open, groups).prefix { $0 == $1 }.count
      for depth in shared..<groups.count { lines.append(indent(depth) + groups[depth] + ":") }
      open = groups
      lines += comments ? Self.lines(key, value: value, commentedOut: false) : [Self.line(key, value)]
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func line(_ key: ConfigurationKey, _ value: String) -> String {
    "\(indent(key.groups.count))\(key.leaf): \(yaml(key, value))"
  }

  private static func lines(_ key: ConfigurationKey, value: String, commentedOut: Bool) -> [String] {
    let margin = indent(key.groups.count)
    return [
      "\(margin)# \(key.help): \(key.expected)",
      "\(margin)\(commentedOut ? "# " : "")\(key.leaf): \(yaml(key, value))",
    ]
  }

  /// A value as YAML writes it: text that is more than a word in quotes, as JSON has them.
  private static func yaml(_ key: ConfigurationKey, _ value: String) -> String {
    let isPlain = value.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "/_-.".utf8.contains(byte)
    }
    return !key.takesText || isPlain && value.first != "-" ? value : JSON.string(value).serialized()
  }

  /// The whole resolved configuration as JSON, in the groups of the YAML file.
  public var json: JSON {
    Self.json(ConfigurationKey.all.map { ($0.name.split(separator: "."), $0.json(in: self)) })
  }

  private static func json(_ members: [(path: [Substring], value: JSON)]) -> JSON {
    var object = JSONObject()
    for name in members.map({ String($0.path[0]) }) where object[name] == nil {
      let own = members.filter { $0.path[0] == name }
      object[name] =
        own[0].path.count == 1 ? own[0].value : json(own.map { (Array($0.path.dropFirst()), $0.value) })
    }
    return .object(object)
  }

  /// The documentation of every key, itself a configuration file with the defaults.
  public static var documentation: String { Configuration().yaml(comments: true) }
}

private func indent(_ depth: Int) -> String { String(repeating: "  ", count: depth) }

/// How single values look in YAML, such that YAML 1.1 and 1.2 readers agree on them.
enum YAMLScalar {
  /// The words both versions of YAML read as nothing.
  static func isNull(_ text: String) -> Bool { ["", "~", "null", "Null", "NULL"].contains(text) }

  /// The shortest decimal form that reads back as the same number.
  ///
  /// Swift writes 1e-05, which PyYAML takes for text: YAML 1.1 wants a point in it.
  static func text<Value: BinaryFloatingPoint & LosslessStringConvertible>(of value: Value) -> String {
    let shortest = value.description
    guard let exponent = shortest.firstIndex(of: "e") else { return shortest }
    let mantissa = shortest[..<exponent]
    var power = shortest[shortest.index(after: exponent)...]
    if power.first != "-" && power.first != "+" { power = "+" + power }
    return (mantissa.contains(".") ? mantissa : mantissa + ".0") + "e" + power
  }
}
