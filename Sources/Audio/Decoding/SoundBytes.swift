import Diagnostics
import TensorFiles

/// The bytes of one sound: a file, or a stretch of an archive; offsets begin at 0.
struct SoundBytes: Sendable {
  let file: InputFile
  let count: Int
  private let start: Int

  /// - Parameter range: the bytes of a member of an archive; nil for the whole file.
  init(_ file: InputFile, _ range: Range<Int>?) {
    precondition(range.map { $0.lowerBound >= 0 } ?? true, "a sound before a file's first byte")
    self.file = file
    start = range?.lowerBound ?? 0
    count = range?.count ?? file.byteCount
  }

  /// A stretch of them.
  subscript(_ range: Range<Int>) -> SoundBytes {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return SoundBytes(file, start + range.lowerBound..<start + range.upperBound)
  }

  /// What errors call the file.
  var path: String { file.path }
  /// Where they end in the file.
  var end: Int { start + count }

  /// Fills as much of `buffer` as there are bytes from `offset` on.
  ///
  /// - Returns: how many.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(Failure) -> Int {
    let count = max(0, min(buffer.count, self.count - offset))
    guard count > 0 else { return 0 }
    try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: start + offset)
    return count
  }

  /// The bytes from `offset` on: `count`, or fewer at the end.
  func bytes(at offset: Int, atMost count: Int) throws(Failure) -> [UInt8] {
    let count = max(0, min(count, self.count - offset))
    return count > 0 ? try file.read(at: start + offset, count: count) : []
  }
}

extension [UInt8] {
  /// The unsigned little-endian integer of `size` bytes at `offset`.
  func unsigned(at offset: Int, size: Int) -> UInt64 {
    self[offset..<offset + size].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Whether the ASCII text stands at `offset`.
  func has(_ text: StaticString, at offset: Int = 0) -> Bool {
    text.withUTF8Buffer { text in
      count >= offset + text.count && self[offset..<offset + text.count].elementsEqual(text)
    }
  }
}
