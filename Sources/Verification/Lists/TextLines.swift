import Diagnostics
import TensorFiles

/// The lines of a text file that are not blank, one after another, in little memory however long the file is.
///
/// A line ends with LF or CRLF. A byte order mark at the beginning is passed over, and so are blanks around a line.
struct TextLines {
  /// A line's fields and where it stands.
  struct Line {
    /// Counted from 1.
    let number: Int
    /// What stands between blanks and tabs.
    let fields: [Substring]
  }

  let path: String
  private let file: InputFile
  private var buffer: [UInt8] = []
  /// Where the next line begins in `buffer`.
  private var position = 0
  /// How much of the file has been read.
  private var offset = 0
  private var number = 0

  private static let block = 1 << 18
  private static let longestLine = 1 << 16

  /// - Throws: `missingInput` if it is not there, `badData` if it is no file, `inputOutput`.
  init(_ path: String) throws(Failure) {
    self.path = path
    file = try InputFile(path: path)
  }

  /// The next line that is not blank; nil at the end.
  ///
  /// - Throws: `badData` for a line that is no text or too long, `inputOutput`.
  mutating func next() throws(Failure) -> Line? {
    while let line = try nextBytes() {
      var bytes = line
      if number == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
      if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
      guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
        throw Failure(.badData, "\(path):\(number): is no text: expected UTF-8")
      }
      let fields = text.utf8.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      if !fields.isEmpty { return Line(number: number, fields: fields.map { Substring($0) }) }
    }
    return nil
  }

  /// The next line without its LF.
  private mutating func nextBytes() throws(Failure) -> ArraySlice<UInt8>? {
    var searched = position
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        return try line(upTo: end, next: end + 1)
      }
      guard offset < file.byteCount, buffer.count - position <= Self.longestLine else {
        return position < buffer.count ? try line(upTo: buffer.count, next: buffer.count) : nil
      }
      buffer.removeSubrange(..<position)
      position = 0
      searched = buffer.count
      let count = min(Self.block, file.byteCount - offset)
      buffer += try file.read(at: offset, count: count)
      offset += count
    }
  }

  private mutating func line(upTo end: Int, next: Int) throws(Failure) -> ArraySlice<UInt8> {
    defer { position = next }
    number += 1
    guard end - position <= Self.longestLine else {
      throw Failure(.badData, "\(path):\(number): the line is longer than \(Self.longestLine) bytes")
    }
    return buffer[position..<end]
  }
}
