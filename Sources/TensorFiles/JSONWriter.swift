/// Writes JSON text; the two styles differ in separators and in how far they escape.
struct JSONWriter {
  enum Style {
    /// As Python's `json.dump` with its defaults: ASCII only.
    case python(indent: Int?)
    /// As Rust's `serde_json::to_string`: no spaces, UTF-8 as it is.
    case compact
  }

  private(set) var text = ""
  private let itemSeparator: String
  private let keySeparator: String
  private let indent: Int?
  private let isASCII: Bool
  private var depth = 0

  init(style: Style) {
    switch style {
    case .python(let indent):
      self.indent = indent
      itemSeparator = indent == nil ? ", " : ","
      keySeparator = ": "
      isASCII = true
    case .compact:
      indent = nil
      itemSeparator = ","
      keySeparator = ":"
      isASCII = false
    }
  }

  mutating func write(_ value: JSON) {
    switch value {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += Self.shortest(value)
    case .string(let value): write(string: value)
    case .array(let items):
      list(items, "[", "]") { writer, item in writer.write(item) }
    case .object(let object):
      list(object, "{", "}") { writer, member in
        writer.write(string: member.key)
        writer.text += writer.keySeparator
        writer.write(member.value)
      }
    }
  }

  private mutating func list<Items: Collection>(
    _ items: Items, _ open: String, _ close: String, _ writeItem: (inout Self, Items.Element) -> Void
  ) {
    text += open
    depth += 1
    var isFirst = true
    for item in items {
      if !isFirst { text += itemSeparator }
      isFirst = false
      breakLine()
      writeItem(&self, item)
    }
    depth -= 1
    // Python writes an empty list on one line whatever the indent.
    if !isFirst { breakLine() }
    text += close
  }

  private mutating func breakLine() {
    guard let indent else { return }
    text += "\n"
    text += String(repeating: " ", count: indent * depth)
  }

  private mutating func write(string: String) {
    text += "\""
    if string.utf8.allSatisfy({
      $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
    }) {
      text += string
    } else {
      for scalar in string.unicodeScalars { text += scalar.escaped(asASCII: isASCII) }
    }
    text += "\""
  }

  /// The shortest digits that read back to the same bits (Swift's `description`), laid out as Python's `repr`:
  /// they agree but for 1e16 ..< 2⁵⁴, where Swift still writes all digits.
  private static func shortest(_ value: Double) -> String {
    guard value.isFinite else { return "null" }
    let text = value.description
    guard value.magnitude >= 1e16, !text.contains("e") else { return text }
    let digits = text.drop { $0 == "-" }.dropLast(2)  // without ".0"
    let exponent = digits.count - 1
    var fraction = digits.dropFirst()
    while fraction.last == "0" { fraction.removeLast() }
    let sign = value < 0 ? "-" : ""
    return "\(sign)\(digits.first!)\(fraction.isEmpty ? "" : ".")\(fraction)e+\(exponent)"
  }
}

extension Unicode.Scalar {
  /// This character as it stands in a JSON string.
  ///
  /// - Parameter asASCII: whether what is not printable ASCII is escaped too.
  func escaped(asASCII: Bool) -> String {
    switch self {
    case "\"": return "\\\""
    case "\\": return "\\\\"
    case "\u{08}": return "\\b"
    case "\u{0C}": return "\\f"
    case "\n": return "\\n"
    case "\r": return "\\r"
    case "\t": return "\\t"
    case _ where value < 0x20, _ where asASCII && value > 0x7E:
      return UTF16.encode(self)!.map { unit in
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }.joined()
    default: return String(self)
    }
  }
}
