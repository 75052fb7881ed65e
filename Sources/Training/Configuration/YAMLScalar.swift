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
