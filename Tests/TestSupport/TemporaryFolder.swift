import Foundation
import Synchronization

/// A folder that goes away with its test.
package final class TemporaryFolder: Sendable {
  package let path: String

  package init() {
    path = Self.make(in: FileManager.default.temporaryDirectory.path)
  }

  /// - Parameter parent: where it is made.
  private init(in parent: String) { path = Self.make(in: parent) }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// One in memory, where there is such a place: for many small files that are flushed, which a disk takes its time
  /// for.
  package static func inMemory() -> TemporaryFolder {
    let isThere = FileManager.default.isWritableFile(atPath: "/dev/shm")
    return isThere ? TemporaryFolder(in: "/dev/shm") : TemporaryFolder()
  }

  /// One that tests share: it goes away with the process.
  package static func shared() -> TemporaryFolder {
    let folder = TemporaryFolder()
    sharedPaths.withLock { $0.append(folder.path) }
    _ = removal
    return folder
  }

  /// The path of something in it.
  package func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file, and the folders that it is in, and returns its path.
  @discardableResult
  package func write(_ bytes: some Sequence<UInt8>, to name: String = "file") throws -> String {
    let file = self(name)
    try FileManager.default.createDirectory(
      atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(filePath: file))
    return file
  }

  /// Writes a file of text, and the folders that it is in, and returns its path.
  @discardableResult
  package func write(_ text: String, to name: String = "file") throws -> String {
    try write(text.utf8, to: name)
  }

  /// What a file of text holds; `nil` if there is none.
  package func text(_ name: String) -> String? { try? String(contentsOfFile: self(name), encoding: .utf8) }

  /// The names of all that is below it, sorted.
  package var contents: [String] { contents(of: "") }

  /// The names of all that is below one of its folders, sorted; none if there is no such folder.
  package func contents(of name: String) -> [String] {
    ((try? FileManager.default.subpathsOfDirectory(atPath: name.isEmpty ? path : self(name))) ?? []).sorted()
  }

  private static func make(in parent: String) -> String {
    let path = "\(parent)/speakerid-\(UUID().uuidString)"
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    } catch {
      preconditionFailure("no temporary folder: \(error)")
    }
    return path
  }

  private static let sharedPaths = Mutex<[String]>([])
  private static let removal = atexit {
    for path in TemporaryFolder.sharedPaths.withLock({ $0 }) {
      try? FileManager.default.removeItem(atPath: path)
    }
  }
}

/// Every file below a folder, by its name.
package func files(below folder: String) throws -> [String: Data] {
  var files: [String: Data] = [:]
  for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
    // A folder has no contents of this kind.
    files[name] = FileManager.default.contents(atPath: "\(folder)/\(name)")
  }
  return files
}
