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
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\u{08}": text += "\\b"
      case "\u{0C}": text += "\\f"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20, _ where isASCII && scalar.value > 0x7E:
        for unit in UTF16.encode(scalar)! { text += Self.escape(unit) }
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }

  private static func escape(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
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
