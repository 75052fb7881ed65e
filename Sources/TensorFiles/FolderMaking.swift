import Diagnostics
import Glibc

extension FileWriting {
  /// Creates a folder and those above it, each flushed to disk: what is written into a folder is safe only when its own
  /// name is. One that is there already is no error.
  ///
  /// - Throws: `.inputOutput` with the path and what the system said.
  public static func createFolder(_ path: String) throws(Failure) {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      let parent = made.isEmpty ? "." : made
      made += made.isEmpty || made.hasSuffix("/") ? part : "/" + part
      if mkdir(made, 0o777) == 0 {
        try synchronizeFolder(parent)
      } else if errno != EEXIST {
        let code = errno
        guard isFolder(made) else { throw Failure.system(code, path, "the folder cannot be created") }
      }
    }
    guard isFolder(path) else {
      throw Failure(.inputOutput, "\(path): the folder cannot be created: a file is in its place")
    }
  }

  /// Whether there is a folder of that name.
  package static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
