import Diagnostics

/// A JSON value (RFC 8259).
///
/// Objects keep the order of their keys in the file: the homework's data set order *is* the key order of
/// `metadata.json`, so a hashed dictionary would lose the split.
public enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A number without fraction and exponent that fits 64 bits.
  case integer(Int)
  /// Every other number; finite when it was parsed.
  case number(Double)
  case string(String)
  case array([JSON])
  case object(JSONObject)

  /// Parses one complete JSON text, strictly: UTF-8 is checked, trailing bytes, duplicate keys, `NaN`, and
  /// nesting deeper than 128 are refused.
  ///
  /// - Parameter name: what errors call the text, usually the file's path.
  /// - Throws: `Failure` of kind `.badData` with name, line and column (counted in characters, from 1).
  public static func parse(_ bytes: [UInt8], name: String) throws(Failure) -> JSON {
    var parser = JSONParser(bytes, name: name)
    return try parser.parseDocument()
  }

  /// Reads and parses a file.
  ///
  /// - Throws: `.missingInput` without the file, `.inputOutput` if it cannot be read, `.badData` as `parse` and for
  ///   more than half a gibibyte, eight million utterances.
  public static func read(path: String) throws(Failure) -> JSON {
    let file = try InputFile(path: path)
    guard file.byteCount <= 1 << 29 else {
      throw Failure(
        .badData, "\(path): has \(file.byteCount) bytes; JSON files of at most \(1 << 29) are read")
    }
    return try parse(try file.read(at: 0, count: file.byteCount), name: path)
  }

  /// The text of this value as Python's `json.dump` writes it: ASCII only, separators `", "` and `": "`, and
  /// floats in their shortest form that reads back to the same bits. Not-a-number and infinities, for which
  /// JSON has no word, become `null`.
  ///
  /// - Parameter indent: spaces per level, one item a line; nil writes everything on one line.
  public func serialized(indent: Int? = nil) -> String {
    var writer = JSONWriter(style: .python(indent: indent))
    writer.write(self)
    return writer.text
  }
}

// MARK: - Looking inside

extension JSON {
  /// The value under `key`, or nil without that key or if this is not an object.
  public subscript(key: String) -> JSON? { object?[key] }

  /// The boolean, if this is one.
  public var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The integer, if this is one; `3.0` is not.
  public var int: Int? {
    if case .integer(let value) = self { value } else { nil }
  }

  /// The number, integers included.
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The string, if this is one.
  public var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  /// The items, if this is an array.
  public var array: [JSON]? {
    if case .array(let value) = self { value } else { nil }
  }

  /// The members in file order, if this is an object.
  public var object: JSONObject? {
    if case .object(let value) = self { value } else { nil }
  }
}

// MARK: - Literals

extension JSON: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  /// `true` or `false`.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An integer.
  public init(integerLiteral value: Int) { self = .integer(value) }
  /// A number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// A string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// An array.
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  /// An object whose keys keep the written order.
  public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(JSONObject(elements)) }
}

// MARK: - Objects

/// The members of a JSON object in file order, each key once.
///
/// Lookup is a scan for a few members and hashed beyond that, so both the 56,666 small objects of a
/// `metadata.json` and one object of 65,000 keys are cheap.
public struct JSONObject: Equatable, Sendable {
  struct Member: Equatable, Sendable {
    let key: String
    var value: JSON
  }

  private static let scannedCount = 8

  private var members: [Member] = []
  /// key → position; empty while there are at most `scannedCount` members.
  private var positions: [String: Int] = [:]

  /// An object without members.
  public init() {}

  /// The given members in order; a repeated key keeps its first place and its last value, as in Python.
  public init(_ pairs: [(String, JSON)]) {
    members.reserveCapacity(pairs.count)
    for (key, value) in pairs { self[key] = value }
  }

  /// The value of `key`: O(1). Setting a new key appends it, setting nil removes it in O(count).
  public subscript(key: String) -> JSON? {
    get { position(of: key).map { members[$0].value } }
    set {
      switch (position(of: key), newValue) {
      case (let position?, let value?): members[position].value = value
      case (nil, let value?): append(key, value)
      case (let position?, nil):
        members.remove(at: position)
        reindex()
      case (nil, nil): break
      }
    }
  }

  /// The keys in order.
  public var keys: [String] { members.map(\.key) }

  /// The values in key order.
  public var values: [JSON] { members.map(\.value) }

  /// Equal if the same members come in the same order.
  public static func == (left: JSONObject, right: JSONObject) -> Bool { left.members == right.members }

  /// Appends a member whose key is not there yet, or returns false.
  mutating func appendIfNew(_ key: String, _ value: JSON) -> Bool {
    guard position(of: key) == nil else { return false }
    append(key, value)
    return true
  }

  private func position(of key: String) -> Int? {
    positions.isEmpty ? members.firstIndex { $0.key == key } : positions[key]
  }

  private mutating func append(_ key: String, _ value: JSON) {
    members.append(Member(key: key, value: value))
    if !positions.isEmpty {
      positions[key] = members.count - 1
    } else if members.count > Self.scannedCount {
      reindex()
    }
  }

  private mutating func reindex() {
    positions.removeAll()
    guard members.count > Self.scannedCount else { return }
    for (position, member) in members.enumerated() { positions[member.key] = position }
  }
}

extension JSONObject: RandomAccessCollection {
  /// The first position.
  public var startIndex: Int { 0 }
  /// The number of members.
  public var endIndex: Int { members.count }
  /// The member at a position.
  public subscript(position: Int) -> (key: String, value: JSON) {
    (members[position].key, members[position].value)
  }
}
