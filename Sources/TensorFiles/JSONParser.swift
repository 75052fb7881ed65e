import Diagnostics

/// A recursive-descent parser of RFC 8259, one pass over the bytes.
struct JSONParser {
  /// Deep enough for any file of this field, shallow enough for any thread's stack.
  static let maximumDepth = 128

  private let bytes: [UInt8]
  private let name: String
  private var position = 0
  private var depth = 0

  init(_ bytes: [UInt8], name: String) {
    self.bytes = bytes
    self.name = name
  }

  mutating func parseDocument() throws(Failure) -> JSON {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
      throw failure("a byte order mark, which JSON does not allow; save the file as plain UTF-8")
    }
    skipWhitespace()
    let value = try parseValue()
    skipWhitespace()
    guard position == bytes.count else { throw unexpected(expected: "the end of the text") }
    return value
  }

  private mutating func parseValue() throws(Failure) -> JSON {
    guard let byte = peek else { throw unexpected(expected: "a value") }
    switch byte {
    case UInt8(ascii: "{"): return try nested { parser throws(Failure) in try parser.parseObject() }
    case UInt8(ascii: "["): return try nested { parser throws(Failure) in try parser.parseArray() }
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    default: throw unexpected(expected: "a value")
    }
  }

  private mutating func nested(
    _ parse: (inout JSONParser) throws(Failure) -> JSON
  ) throws(Failure) -> JSON {
    guard depth < Self.maximumDepth else {
      throw failure("nesting deeper than \(Self.maximumDepth) levels")
    }
    depth += 1
    let value = try parse(&self)
    depth -= 1
    return value
  }

  private mutating func parseObject() throws(Failure) -> JSON {
    position += 1
    var object = JSONObject()
    skipWhitespace()
    if take("}") { return .object(object) }
    while true {
      skipWhitespace()
      let keyPosition = position
      guard peek == UInt8(ascii: "\"") else { throw unexpected(expected: "a key in double quotes") }
      let key = try parseString()
      skipWhitespace()
      guard take(":") else { throw unexpected(expected: "\":\" after the key \(key.quoted)") }
      skipWhitespace()
      let value = try parseValue()
      guard object.appendIfNew(key, value) else {
        throw failure("the key \(key.quoted) comes twice in one object", at: keyPosition)
      }
      skipWhitespace()
      if take("}") { return .object(object) }
      guard take(",") else { throw unexpected(expected: "\",\" or \"}\" after the value of \(key.quoted)") }
    }
  }

  private mutating func parseArray() throws(Failure) -> JSON {
    position += 1
    var items: [JSON] = []
    skipWhitespace()
    if take("]") { return .array(items) }
    while true {
      skipWhitespace()
      items.append(try parseValue())
      skipWhitespace()
      if take("]") { return .array(items) }
      guard take(",") else { throw unexpected(expected: "\",\" or \"]\" after item \(items.count)") }
    }
  }

  private mutating func parseWord(_ word: StaticString, _ value: JSON) throws(Failure) -> JSON {
    let start = position
    for index in 0..<word.utf8CodeUnitCount {
      guard peek == word.utf8Start[index] else {
        position = start
        throw unexpected(expected: "a value")
      }
      position += 1
    }
    return value
  }
}

// MARK: - Numbers

extension JSONParser {
  private mutating func parseNumber() throws(Failure) -> JSON {
    let start = position
    let isNegative = take("-")
    var magnitude: UInt64 = 0
    var fits = true
    let integerStart = position
    while let digit = takeDigit() {
      let (product, overflowed) = magnitude.multipliedReportingOverflow(by: 10)
      let (sum, carried) = product.addingReportingOverflow(UInt64(digit))
      magnitude = sum
      fits = fits && !overflowed && !carried
    }
    guard position > integerStart else { throw unexpected(expected: "a digit after \"-\"") }
    if bytes[integerStart] == UInt8(ascii: "0"), position > integerStart + 1 {
      throw failure("a number with a leading zero", at: start)
    }
    var isInteger = true
    if take(".") {
      isInteger = false
      try skipDigits(after: "the decimal point")
    }
    if take("e") || take("E") {
      isInteger = false
      if !take("+") { _ = take("-") }
      try skipDigits(after: "the exponent sign")
    }
    if isInteger, fits {
      if let value = Int(exactly: magnitude) { return .integer(isNegative ? -value : value) }
      if isNegative, magnitude == Int.min.magnitude { return .integer(.min) }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard let value = Double(text), value.isFinite else {
      throw failure("a number too large for a 64-bit float", at: start)
    }
    return .number(value)
  }

  private mutating func skipDigits(after place: String) throws(Failure) {
    guard takeDigit() != nil else { throw unexpected(expected: "a digit after \(place)") }
    while takeDigit() != nil {}
  }

  private mutating func takeDigit() -> UInt8? {
    guard let byte = peek, byte &- UInt8(ascii: "0") < 10 else { return nil }
    position += 1
    return byte - UInt8(ascii: "0")
  }
}

// MARK: - Strings

extension JSONParser {
  private mutating func parseString() throws(Failure) -> String {
    let opening = position
    position += 1
    let start = position
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        let text = try validated(bytes[start..<position], at: opening)
        position += 1
        return text
      case UInt8(ascii: "\\"): return try parseEscapedString(opening: opening)
      case ..<0x20: throw failure("a control character inside a string; write it as \\u00XX")
      default: position += 1
      }
    }
    throw failure("a string that never ends", at: opening)
  }

  /// The rare way: a string with escapes is gathered byte by byte.
  private mutating func parseEscapedString(opening: Int) throws(Failure) -> String {
    var text = Array(bytes[(opening + 1)..<position])
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return try validated(text[...], at: opening)
      case UInt8(ascii: "\\"): text.append(contentsOf: try parseEscape())
      case ..<0x20: throw failure("a control character inside a string; write it as \\u00XX")
      default:
        text.append(byte)
        position += 1
      }
    }
    throw failure("a string that never ends", at: opening)
  }

  private mutating func parseEscape() throws(Failure) -> [UInt8] {
    let start = position
    position += 1
    guard let letter = peek else { throw failure("a string that never ends", at: start) }
    position += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): break
    default: throw failure("an unknown escape in a string", at: start)
    }
    let unit = try parseHexadecimal(escape: start)
    var units = [unit]
    if UTF16.isLeadSurrogate(unit), take("\\"), take("u") {
      units.append(try parseHexadecimal(escape: start))
    }
    guard let text = String(validating: units, as: UTF16.self) else {
      throw failure("half a surrogate pair, which is no character", at: start)
    }
    return Array(text.utf8)
  }

  private mutating func parseHexadecimal(escape: Int) throws(Failure) -> UInt16 {
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("a \\u escape without its four hexadecimal digits", at: escape)
      }
      unit = unit << 4 | UInt16(digit)
      position += 1
    }
    return unit
  }

  private func validated(_ text: ArraySlice<UInt8>, at opening: Int) throws(Failure) -> String {
    guard let string = String(validating: text, as: UTF8.self) else {
      throw failure("a string that is not valid UTF-8", at: opening)
    }
    return string
  }
}

// MARK: - Bytes and errors

extension JSONParser {
  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func skipWhitespace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private func unexpected(expected: String) -> Failure {
    guard let byte = peek else { return failure("the text ends where \(expected) should be") }
    let found = byte > 0x20 && byte < 0x7F ? "\"\(Unicode.Scalar(byte))\"" : "the byte \(byte)"
    return failure("\(found) where \(expected) should be")
  }

  private func failure(_ problem: String, at offset: Int? = nil) -> Failure {
    let before = bytes[..<min(offset ?? position, bytes.count)]
    let line = before.count { $0 == 0x0A } + 1
    let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    // Continuation bytes do not start a character.
    let column = before[lineStart...].count { $0 & 0xC0 != 0x80 } + 1
    return Failure(.badData, "\(name): line \(line), column \(column): \(problem)")
  }
}
