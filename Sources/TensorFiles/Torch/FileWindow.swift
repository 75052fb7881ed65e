import Diagnostics

/// Small reads of a file, answered from a stretch read ahead where possible: the records of a PyTorch file that
/// come before a small tensor lie side by side, so one system call serves them all.
struct FileWindow {
  private static let readAhead = 2048

  let file: InputFile
  private var window: [UInt8] = []
  private var start = 0

  init(_ file: InputFile) { self.file = file }

  /// Makes `range` cheap to read, for a file that is read from its end.
  mutating func prefetch(_ range: Range<Int>) throws(Failure) {
    window = try file.read(at: range.lowerBound, count: range.count)
    start = range.lowerBound
  }

  mutating func bytes(at offset: Int, count: Int) throws(Failure) -> [UInt8] {
    let isInside =
      offset >= start && offset - start <= window.count && count >= 0
      && count <= window.count - (offset - start)
    if !isInside {
      guard offset >= 0, offset <= file.byteCount, count <= Self.readAhead else {
        return try file.read(at: offset, count: count)
      }
      try prefetch(offset..<min(file.byteCount, offset + Self.readAhead))
      guard count <= window.count else { return try file.read(at: offset, count: count) }
    }
    return Array(window[(offset - start)..<(offset - start + count)])
  }
}
