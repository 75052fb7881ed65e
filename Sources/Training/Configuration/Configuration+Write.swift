extension Configuration {
  /// The whole resolved configuration as YAML; reading it gives an equal configuration.
  ///
  /// - Parameter comments: whether every key is explained in a comment.
  public func yaml(comments: Bool = false) -> String {
    var lines: [String] = []
    var open: [Substring] = []
    for key in ConfigurationKey.all {
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
    "\(indent(key.groups.count))\(key.leaf): \(value)"
  }

  private static func lines(_ key: ConfigurationKey, value: String, commentedOut: Bool) -> [String] {
    let margin = indent(key.groups.count)
    return [
      "\(margin)# \(key.help): \(key.expected)",
      "\(margin)\(commentedOut ? "# " : "")\(key.leaf): \(value)",
    ]
  }

  /// The documentation of every key, itself a configuration file with the defaults.
  public static var documentation: String { Configuration().yaml(comments: true) }
}

private func indent(_ depth: Int) -> String { String(repeating: "  ", count: depth) }
