import Diagnostics
import Foundation
import TensorFiles

/// A file of JSON objects, one a line, in the file as soon as it is appended. Lines may come from any thread.
final class JSONLines: Sendable {
  private let path: String
  private let descriptor: Int32

  /// Opens the file to append to it; makes it if it is not there.
  ///
  /// - Parameter isKept: whether a line that is there already stays. One that a kill cut short never does.
  /// - Throws: `inputOutput`.
  init(path: String, keeping isKept: (JSON) -> Bool = { _ in true }) throws {
    self.path = path
    if FileSystem.exists(path) { try Self.keep(isKept, in: path) }
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileSystem.failure(path, "cannot be opened") }
  }

  deinit { close(descriptor) }

  /// Appends one line, with one system call where the system takes it at once.
  ///
  /// - Throws: `inputOutput`.
  func append(_ object: JSON) throws {
    var rest = Array((object.serialized() + "\n").utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw FileSystem.failure(path, "writing failed") }
      rest = rest.dropFirst(count)
    }
  }

  /// Flushes the lines to disk.
  func synchronize() throws {
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw FileSystem.failure(path, "flushing to disk failed")
    }
  }

  private static func keep(_ isKept: (JSON) -> Bool, in path: String) throws {
    let file = try InputFile(path: path)
    let bytes = try file.read(at: 0, count: file.byteCount)
    let kept = bytes.split(separator: UInt8(ascii: "\n")).filter { line in
      guard let object = try? JSON.parse(Array(line), name: path) else { return false }
      return isKept(object)
    }
    let text = kept.flatMap { Array($0) + [UInt8(ascii: "\n")] }
    if text != bytes { try FileWriting.writeAtomically(text, to: path) }
  }
}
