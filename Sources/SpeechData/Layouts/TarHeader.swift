/// The block before a member of a tar.
struct TarHeader {
  /// With the prefix of ustar, without what zeros end.
  let name: [UInt8]
  /// nil if there is no number.
  let size: Int?
  /// `0` for a file; see POSIX.1-2017, "ustar Interchange Format".
  let type: Character
  /// Whether more headers of an old sparse file follow.
  let isExtendedSparse: Bool

  /// Whether it is a file, and no folder, link or header of the next member.
  var isFile: Bool { ["0", "\0", "7", "S"].contains(type) }

  /// - Parameter bytes: 512 of them.
  /// - Returns: nil if the checksum is wrong.
  init?(_ bytes: [UInt8]) {
    // The sum of all bytes, its own taken as blanks. Some old programs added signed ones.
    let field = 148..<156
    var unsigned = 0, signed = 0
    for (index, byte) in bytes.enumerated() {
      let byte = field.contains(index) ? UInt8(ascii: " ") : byte
      unsigned += Int(byte)
      signed += Int(Int8(bitPattern: byte))
    }
    guard let sum = Self.number(bytes[field]), sum == unsigned || sum == signed else { return nil }
    let isUstar = bytes[257..<265].elementsEqual("ustar\u{0}00".utf8)
    let prefix = isUstar ? Self.text(bytes[345..<500]) : []
    let own = Self.text(bytes[0..<100])
    name = prefix.isEmpty ? own : prefix + [UInt8(ascii: "/")] + own
    type = Character(Unicode.Scalar(bytes[156]))
    // A link's size means nothing, and its bytes are not there.
    size = ["1", "2", "3", "4", "5", "6"].contains(type) ? 0 : Self.number(bytes[124..<136])
    isExtendedSparse = type == "S" && bytes[482] != 0
  }

  private static func text(_ field: ArraySlice<UInt8>) -> [UInt8] { Array(field.prefix { $0 != 0 }) }

  /// Octal digits with blanks or zeros around them, or GNU's base 256. Nil for anything else and what is below zero.
  private static func number(_ field: ArraySlice<UInt8>) -> Int? {
    if let first = field.first, first & 0x80 != 0 {
      guard first == 0x80, field.dropFirst().dropLast(7).allSatisfy({ $0 == 0 }) else { return nil }
      return field.suffix(7).reduce(0) { $0 << 8 | Int($1) }
    }
    var digits = field.drop { $0 == UInt8(ascii: " ") }
    digits = digits.prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
    guard !digits.isEmpty, digits.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "7") ~= $0 }) else {
      return nil
    }
    return digits.reduce(0) { $0 << 3 | Int($1 - UInt8(ascii: "0")) }
  }
}

/// What a pax header says of a member: `LENGTH KEY=VALUE` and a line's end, LENGTH counting all of the record.
struct PaxRecords {
  private(set) var path: [UInt8]?
  private(set) var size: Int?
  private(set) var isSparse = false

  init() {}

  /// - Parameter records: what it says where this says nothing.
  /// - Returns: nil if these are no records.
  init?(_ bytes: [UInt8], over records: PaxRecords) {
    self = records
    var rest = bytes[...]
    while !rest.isEmpty {
      let digits = rest.prefix { $0 != UInt8(ascii: " ") }
      guard let length = wholeNumber(Substring(decoding: digits, as: UTF8.self)), length > digits.count + 1,
        length <= rest.count
      else { return nil }
      let record = rest.prefix(length).dropFirst(digits.count + 1)
      guard record.last == UInt8(ascii: "\n"), let equals = record.firstIndex(of: UInt8(ascii: "=")) else {
        return nil
      }
      let value = record[(equals + 1)...].dropLast()
      switch String(decoding: record[..<equals], as: UTF8.self) {
      case "path": path = Array(value)
      case "size":
        guard let number = wholeNumber(Substring(decoding: value, as: UTF8.self)) else { return nil }
        size = number
      case let key where key.hasPrefix("GNU.sparse."): isSparse = true
      default: break
      }
      rest = rest.dropFirst(length)
    }
  }
}
