import Diagnostics
import Foundation
import TensorFiles

/// What a job writes, held against what it reads before any work is done: a result that cannot be written is known at
/// once, and none takes the place of another or of what it was made from.
///
/// Places are compared, not paths: another spelling, a symbolic link or a hard link is the same file.
package struct OutputFiles {
  /// A path, and what the message calls it: `--output`.
  package typealias Named = (flag: String, path: String)

  /// The path that stands for standard output.
  static func isStandardOutput(_ path: String) -> Bool { ["-", "/dev/stdout"].contains(path) }

  /// Writes a result: to a file, atomically, or to standard output. On rank 0 alone.
  ///
  /// - Throws: `inputOutput` when it cannot be written.
  static func write(_ bytes: [UInt8], to path: String, _ console: Console) throws {
    if isStandardOutput(path) {
      try console.result(bytes)
    } else {
      try FileWriting.writeAtomically(bytes, to: path)
    }
  }

  private let outputs: [Named]

  /// - Parameter outputs: those that are wanted.
  package init(_ outputs: [Named?]) { self.outputs = outputs.compactMap(\.self) }

  /// - Parameters:
  ///   - files: what the job reads.
  ///   - data: the data folder it reads, none of whose files may be written.
  ///   - run: the run it reads, whose own files may not be written.
  /// - Throws: `usage` that names both sides of a collision, `inputOutput` for what cannot be written.
  package func check(reading files: [Named?], data: String? = nil, run: String? = nil) throws {
    for (index, output) in outputs.enumerated() {
      if Self.isStandardOutput(output.path) {
        guard !outputs[..<index].contains(where: { Self.isStandardOutput($0.path) }) else {
          throw Failure(.usage, "\(output.flag): only one result goes to standard output")
        }
        continue
      }
      guard let place = FilePlace(output.path) else {
        try FileSystem.checkWritable(output.path)
        continue
      }
      for other in outputs[..<index] where FilePlace(other.path) == place {
        throw Failure(
          .usage, "\(output.flag) \(output.path): this is also \(other.flag); expected a file of its own")
      }
      for input in files.compactMap(\.self) where FilePlace(input.path) == place {
        throw Failure(
          .usage, "\(output.flag) \(output.path): this is what \(input.flag) reads; expected another file")
      }
      if let data, place.exists, place.isInside(data) {
        throw Failure(
          .usage,
          "\(output.flag) \(output.path): this is a file of the data folder \(data); expected another file")
      }
      if let run, let name = place.path(inside: run),
        Self.namesOfRuns.contains(name.prefix { $0 != "/" }.lowercased())
      {
        throw Failure(
          .usage, "\(output.flag) \(output.path): this is a file of the run \(run); expected another file")
      }
      try FileSystem.checkWritable(output.path)
    }
  }

  /// Checks that the folder of a new run is not one of data.
  ///
  /// - Throws: `usage` if it is `data`, or holds what only a data folder does.
  static func check(run: String, data: String?) throws {
    // One that was begun there goes on.
    guard !FileSystem.exists("\(run)/config.yaml") else { return }
    let isData = data.flatMap { FilePlace($0) }.map { $0.exists && $0 == FilePlace(run) } ?? false
    let file = ["metadata.json", "mapping.json", "manifest.json"].first { FileSystem.exists("\(run)/\($0)") }
    guard isData || file != nil else { return }
    throw Failure(
      .usage,
      "--run \(run): this is a data folder\(file.map { ", with a \($0)" } ?? ""); expected a folder of the run's own"
    )
  }

  /// What a run keeps in its folder.
  private static let namesOfRuns: Set = [
    "best", "checkpoints", "config.yaml", "log.txt", "metrics.jsonl", "run.json", "timeline.jsonl", ".lock",
  ]
}

/// Where a path leads to: what is there, or the folder and the name under which something could be.
struct FilePlace: Equatable {
  /// Whether something is there.
  let exists: Bool
  private let device: UInt64
  private let inode: UInt64
  private let name: String
  /// The path without links, `.` and `..`.
  private let resolved: String

  /// - Returns: `nil` for a folder that is not there, and for what is neither a file nor a folder, such as a device.
  init?(_ path: String) {
    var status = stat()
    exists = stat(path, &status) == 0
    if exists {
      guard [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) else { return nil }
      guard let full = Self.realPath(path) else { return nil }
      (resolved, name) = (full, "")
    } else {
      let cut = path.lastIndex(of: "/")
      let folder = cut.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
      name = cut.map { String(path[path.index(after: $0)...]) } ?? path
      guard stat(folder, &status) == 0, let full = Self.realPath(folder) else { return nil }
      resolved = "\(full)/\(name)"
    }
    (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
  }

  static func == (left: FilePlace, right: FilePlace) -> Bool {
    left.device == right.device && left.inode == right.inode && left.name == right.name
  }

  /// Whether it is a file in that folder, or in a folder of it.
  func isInside(_ folder: String) -> Bool { path(inside: folder) != nil }

  /// The way to it from that folder.
  func path(inside folder: String) -> Substring? {
    guard let root = Self.realPath(folder), resolved.hasPrefix(root + "/") else { return nil }
    return resolved.dropFirst(root.count + 1)
  }

  private static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
