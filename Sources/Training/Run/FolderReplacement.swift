import Diagnostics
import Foundation
import TensorFiles

/// Writing a folder so that a reader sees the old one or the whole new one, also after a crash.
enum FolderReplacement {
  /// Writes a folder beside `path` under a temporary name, flushes it to disk and puts it in place of `path`.
  ///
  /// - Parameter body: writes the files into the folder whose path it gets; each must be flushed by its writer.
  /// - Throws: what `body` throws, or `inputOutput`; then `path` is untouched and the temporary folder is gone.
  static func write(_ path: String, _ body: (String) throws -> Void) throws {
    let (parent, name) = split(path)
    let temporary = "\(parent)/.\(name).tmp-\(getpid())"
    try FileSystem.remove(temporary)
    do {
      try FileWriting.createFolder(temporary)
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

  /// Clears a folder of what writers that were killed have left in it.
  ///
  /// A folder that was moved aside for a successor which never arrived is put back. What cannot be removed stays.
  static func removeLeftovers(in parent: String) {
    for name in FileSystem.names(in: parent) where name.hasPrefix(".") {
      if let end = name.range(of: ".old-")?.lowerBound {
        let place = "\(parent)/\(name[name.index(after: name.startIndex)..<end])"
        if !FileSystem.exists(place), rename("\(parent)/\(name)", place) == 0 { continue }
      }
      // ".tmp-" alone is how FileWriting calls its temporary files.
      if [".tmp-", ".old-", ".gone-"].contains(where: name.contains) {
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
    try FileWriting.synchronizeFolder(split(path).parent)
    try? FileSystem.remove(old)
  }

  private static func moveAside(_ path: String, mark: String) throws -> String {
    let (parent, name) = split(path)
    let aside = "\(parent)/.\(name).\(mark)-\(getpid())"
    try FileSystem.remove(aside)
    guard rename(path, aside) == 0 else { throw FileSystem.failure(path, "cannot be moved aside") }
    return aside
  }

  private static func split(_ path: String) -> (parent: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    return (String(path[..<slash]), String(path[path.index(after: slash)...]))
  }
}
