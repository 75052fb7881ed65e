extension String {
  /// This foreign name in double quotes, fit for one line of an error: control characters are escaped, and what
  /// goes beyond 100 characters is cut.
  var quoted: String {
    var text = "\""
    for scalar in unicodeScalars.prefix(100) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator: text += scalar.escaped(asASCII: true)
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + (unicodeScalars.count > 100 ? "…\"" : "\"")
  }
}

extension [Int] {
  /// A foreign shape, cut after eight dimensions.
  var brief: String { count <= 8 ? "\(self)" : "[\(prefix(8).map(String.init).joined(separator: ", ")), …]" }
}
