import Diagnostics
import Foundation
import TensorFiles

/// The few operations on files and folders that a run needs, with errors that name the path.
package enum FileSystem {
  /// The failure of the system call that just failed.
  package static func failure(_ path: String, _ what: String) -> Failure {
    Failure.system(errno, path, what)
  }

  /// Whether there is a file or folder of that name.
  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Whether there is a folder of that name.
  package static func isFolder(_ path: String) -> Bool { FileWriting.isFolder(path) }

  /// The names in a folder, sorted; none if it is not there.
  package static func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// When a file was last written, `2026-11-24 15:02` by the local clock; `nil` if it is not there.
  static func writingTime(of path: String) -> String? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return localTime(status.st_mtim.tv_sec, "%Y-%m-%d %H:%M")
  }

  /// A time by the local clock, as `strftime` formats it.
  static func localTime(_ seconds: time_t, _ format: String) -> String {
    var seconds = seconds
    var local = tm()
    localtime_r(&seconds, &local)
    var text = [CChar](repeating: 0, count: 64)
    let count = strftime(&text, text.count, format, &local)
    return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Makes one folder, flushed to disk, in a folder that is there. One that is there already is no error.
  ///
  /// Unlike `FileWriting.createFolder` it makes none above: when the run's own is gone, it stays gone.
  static func makeFolder(_ path: String) throws {
    if mkdir(path, 0o777) == 0 { return try FileWriting.synchronizeFolder(split(path).parent) }
    let code = errno
    guard code == EEXIST, isFolder(path) else {
      throw Failure.system(code, path, "the folder cannot be created")
    }
  }

  /// Removes a file or a folder with all that is in it. One that is not there is no error.
  package static func remove(_ path: String) throws {
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      guard exists(path) else { return }
      throw Failure(.inputOutput, "\(path): cannot be removed: \(error.localizedDescription)")
    }
  }

  /// Removes files of a folder by their names, and the folder if nothing else is in it.
  static func remove(_ names: [String], of folder: String) throws {
    for name in names { try removeFile("\(folder)/\(name)") }
    rmdir(folder)
  }

  /// Removes a file. One that is not there is no error.
  static func removeFile(_ path: String) throws {
    guard unlink(path) != 0, errno != ENOENT, errno != ENOTDIR else { return }
    throw failure(path, "cannot be removed")
  }

  /// Checks that a file of that name can be written: its folder is there and lets us write.
  package static func checkWritable(_ path: String) throws {
    let folder = split(path).parent
    guard isFolder(folder) else {
      throw Failure(.inputOutput, "\(path): there is no folder \(folder) to write it in")
    }
    guard !isFolder(path) else {
      throw Failure(.inputOutput, "\(path): a folder is in the place of the file to write")
    }
    guard access(folder, W_OK) == 0 else { throw failure(path, "it cannot be written") }
  }

  /// The folder that a path is in, and its last part.
  static func split(_ path: String) -> (parent: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let name = String(path[path.index(after: slash)...])
    return (slash == path.startIndex ? "/" : String(path[..<slash]), name)
  }
}

/// A file or folder that is held on to, to know later whether its path still leads to it.
///
/// It stays open meanwhile: on a file system that makes up its inode numbers, they hold as long as somebody looks.
final class FileInPlace: Sendable {
  let path: String
  private let descriptor: Int32

  /// - Throws: `inputOutput` when there is none.
  init(_ path: String) throws {
    self.path = path
    descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileSystem.failure(path, "cannot be opened") }
  }

  deinit { close(descriptor) }

  /// Whether it has been neither deleted nor moved nor replaced.
  var isInPlace: Bool {
    var held = stat()
    var named = stat()
    guard fstat(descriptor, &held) == 0, stat(path, &named) == 0 else { return false }
    return held.st_dev == named.st_dev && held.st_ino == named.st_ino
  }
}

/// Writing a folder so that a reader sees the old one or the whole new one, also after a crash.
enum FolderReplacement {
  /// Writes a folder beside `path` under a temporary name, flushes it to disk and puts it in place of `path`.
  ///
  /// - Parameter body: writes the files into the folder whose path it gets; each must be flushed by its writer.
  /// - Throws: what `body` throws, or `inputOutput`; then `path` is untouched and the temporary folder is gone.
  static func write(_ path: String, _ body: (String) throws -> Void) throws {
    let (parent, name) = FileSystem.split(path)
    let temporary = "\(parent)/.\(name).tmp-\(getpid())"
    try FileSystem.remove(temporary)
    do {
      try FileSystem.makeFolder(temporary)
      try body(temporary)
      try FileWriting.synchronizeFolder(temporary)
      try put(temporary, inPlaceOf: path)
      try FileWriting.synchronizeFolder(parent)
    } catch {
      try? FileSystem.remove(temporary)
      throw error
    }
  }

  /// Removes a folder so that a crash leaves either the whole of it or a leftover that is known as one.
  ///
  /// A leftover too is what remains of it when its files cannot be removed, as when somebody reads one on NFS.
  static func remove(_ path: String) throws {
    let aside = try moveAside(path, mark: "gone")
    try? FileSystem.remove(aside)
  }

  /// Clears a folder of what writers that were killed have left in it: files of `FileWriting`, and folders of this one
  /// whose names began with `prefix`.
  ///
  /// A folder that was moved aside for a successor which never arrived is put back. What cannot be removed stays.
  static func removeLeftovers(in parent: String, prefix: String? = nil) {
    for name in FileSystem.names(in: parent) where name.hasPrefix(".") {
      if name.wholeMatch(of: /\.tmp-[0-9a-f]+/) != nil {
        try? FileSystem.remove("\(parent)/\(name)")
      } else if let prefix, let parts = name.wholeMatch(of: /\.(.+)\.(tmp|old|gone)-[0-9]+/),
        parts.1.hasPrefix(prefix)
      {
        let place = "\(parent)/\(parts.1)"
        if parts.2 == "old", !FileSystem.exists(place), rename("\(parent)/\(name)", place) == 0 { continue }
        try? FileSystem.remove("\(parent)/\(name)")
      }
    }
  }

  private static func put(_ new: String, inPlaceOf path: String) throws {
    guard FileSystem.exists(path) else {
      guard rename(new, path) == 0 else { throw FileSystem.failure(path, "cannot be created") }
      return
    }
    // A folder cannot be renamed over another. A crash between the two renames leaves the old one aside, and
    // `removeLeftovers` puts it back.
    let old = try moveAside(path, mark: "old")
    guard rename(new, path) == 0 else {
      let failure = FileSystem.failure(path, "cannot be replaced")
      rename(old, path)
      throw failure
    }
    try FileWriting.synchronizeFolder(FileSystem.split(path).parent)
    try? FileSystem.remove(old)
  }

  private static func moveAside(_ path: String, mark: String) throws -> String {
    let (parent, name) = FileSystem.split(path)
    let aside = "\(parent)/.\(name).\(mark)-\(getpid())"
    try FileSystem.remove(aside)
    guard rename(path, aside) == 0 else { throw FileSystem.failure(path, "cannot be moved aside") }
    return aside
  }
}
