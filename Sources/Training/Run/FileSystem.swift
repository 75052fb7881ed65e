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

  /// Removes a file or a folder with all that is in it. One that is not there is no error.
  package static func remove(_ path: String) throws {
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      guard exists(path) else { return }
      throw Failure(.inputOutput, "\(path): cannot be removed: \(error.localizedDescription)")
    }
  }
}

extension FileSystem {
  /// Checks that a file of that name can be written: its folder is there and lets us write.
  package static func checkWritable(_ path: String) throws {
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard isFolder(folder) else {
      throw Failure(.inputOutput, "\(path): there is no folder \(folder) to write it in")
    }
    guard !isFolder(path) else {
      throw Failure(.inputOutput, "\(path): a folder is in the place of the file to write")
    }
    guard access(folder, W_OK) == 0 else { throw failure(path, "it cannot be written") }
  }
}
