import Diagnostics
import TensorFiles

/// A line of a list.
struct Place: CustomStringConvertible {
  /// The list, by the last part of its path.
  let list: String
  /// Counted from 1.
  let line: Int

  /// `wav.scp:12`.
  var description: String { "\(list):\(line)" }
}

/// The lines of a text list, one after another, in little memory however long the list is.
///
/// A line ends with LF or CRLF. Blank lines are passed over, and a byte order mark at the beginning is. Blanks around a
/// line do not count.
struct ListReader {
  /// One line that is not blank.
  struct Line {
    let place: Place
    let text: String

    /// Counted from 1.
    var number: Int { place.line }

    /// What stands between blanks and tabs.
    var fields: [Substring] { text.utf8.split(whereSeparator: isBlank).map { Substring($0) } }

    /// The first field and all that is behind it; the latter is empty where there is nothing.
    var keyAndRest: (key: String, rest: String) {
      let key = text.utf8.prefix { !isBlank($0) }
      return (String(Substring(key)), String(Substring(text.utf8[key.endIndex...].drop(while: isBlank))))
    }
  }

  /// What errors call the list.
  let path: String
  /// What refusals call it: the last part of its path.
  let name: String

  private let file: InputFile
  private var buffer: [UInt8] = []
  /// Where the next line begins in `buffer`.
  private var position = 0
  /// How much of the file has been read into `buffer`.
  private var offset = 0
  private var number = 0
  private var unreadable = 0

  private static let block = 1 << 18
  /// The longest line in bytes; a path has at most 4,096.
  private static let longestLine = 1 << 16
  /// A list of 100 million recordings is shorter.
  private static let largest = 1 << 34
  /// What has more lines that are no text is no list.
  private static let mostUnreadable = 1000

  /// - Throws: `.missingInput` if it is not there, `.badData` if it is no file or too large, `.inputOutput`.
  init(_ path: String) throws(Failure) {
    self.path = path
    name = path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(Substring($0)) } ?? path
    try checkIsFile(path)
    file = try InputFile(path: path)
    guard file.byteCount <= Self.largest else {
      throw Failure(
        .badData, "\(path): has \(file.byteCount) bytes; lists of at most \(Self.largest) are read")
    }
  }

  /// The next line that is not blank; nil at the end. Lines that are no text are refused.
  ///
  /// - Throws: `.badData` if there are too many of those, `.inputOutput`.
  mutating func next(_ gathering: inout Gathering) throws(Failure) -> Line? {
    while let (line, isWhole) = try nextBytes() {
      number += 1
      var bytes = line
      if number == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
      while let last = bytes.last, isBlank(last) || last == UInt8(ascii: "\r") { bytes.removeLast() }
      bytes = bytes.drop(while: isBlank)
      let place = Place(list: name, line: number)
      if !isWhole {
        try refuse(place, "is longer than \(Self.longestLine) bytes", &gathering)
      } else if bytes.isEmpty {
        continue
      } else if bytes.contains(0) {
        try refuse(place, "holds a byte of zero, which no text does", &gathering)
      } else if let text = String(validating: bytes, as: UTF8.self) {
        return Line(place: place, text: text)
      } else {
        try refuse(place, "is not UTF-8: convert the list, with iconv for example", &gathering)
      }
    }
    return nil
  }

  private mutating func refuse(
    _ place: Place, _ reason: String, _ gathering: inout Gathering
  ) throws(Failure) {
    gathering.refuse(place, reason)
    unreadable += 1
    guard unreadable <= Self.mostUnreadable else {
      throw Failure(
        .badData, "\(path): is no list of text: \(place) \(reason), as do \(unreadable - 1) before it")
    }
  }

  /// The next line without its LF, and whether that is all of it.
  private mutating func nextBytes() throws(Failure) -> (ArraySlice<UInt8>, isWhole: Bool)? {
    var isWhole = true
    var searched = position
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { position = end + 1 }
        return (buffer[position..<end], isWhole && end - position <= Self.longestLine)
      }
      if buffer.count - position > Self.longestLine {
        isWhole = false
        position = buffer.count
      }
      guard offset < file.byteCount else {
        guard position < buffer.count || !isWhole else { return nil }
        defer { position = buffer.count }
        return (buffer[position...], isWhole)
      }
      buffer.removeSubrange(..<position)
      position = 0
      searched = buffer.count
      let count = min(Self.block, file.byteCount - offset)
      buffer += try file.read(at: offset, count: count)
      offset += count
    }
  }
}

/// A blank or a tab.
func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
