import Diagnostics
import Glibc

/// Writing files so that a reader sees the old content or the whole new one, also after a crash.
public enum FileWriting {
  /// Replaces `path` by `bytes`, or leaves it untouched.
  ///
  /// - Throws: `.inputOutput` with the path and what the system said.
  public static func writeAtomically(_ bytes: [UInt8], to path: String) throws(Failure) {
    try writeAtomically(to: path) { sink throws(Failure) in try sink.write(bytes) }
  }

  /// Replaces `path` by what `body` writes, or leaves it untouched: a temporary file in the same folder is
  /// written, flushed to disk and renamed, then the folder is flushed. If anything fails, also `body`, the
  /// temporary file is removed. What is there and is no file, such as a device or a pipe, is written to as it is.
  ///
  /// - Throws: what `body` throws, or `.inputOutput` with the path and what the system said.
  public static func writeAtomically(
    to path: String, _ body: (borrowing FileSink) throws(Failure) -> Void
  ) throws(Failure) {
    if isSpecial(path) {
      let descriptor = retryingInterrupted { open(path, O_WRONLY | O_CLOEXEC) }
      guard descriptor >= 0 else { throw Failure.system(errno, path, "opening failed") }
      return try writeAndClose(descriptor, path, body)
    }
    let (temporary, descriptor) = try openTemporary(beside: path)
    do throws(Failure) {
      try writeAndClose(descriptor, path, body)
      guard rename(temporary, path) == 0 else {
        throw Failure.system(errno, path, "replacing the file failed")
      }
    } catch {
      unlink(temporary)
      throw error
    }
    try synchronizeFolder(folder(of: path))
  }

  /// Flushes a folder's entries to disk, so that names created, renamed or removed in it survive a crash.
  ///
  /// - Throws: `.inputOutput`. File systems that know no such flush are let be.
  public static func synchronizeFolder(_ path: String) throws(Failure) {
    let descriptor = retryingInterrupted { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard descriptor >= 0 else { throw Failure.system(errno, path, "opening the folder failed") }
    defer { close(descriptor) }
    guard flush(descriptor) else { throw Failure.system(errno, path, "flushing the folder to disk failed") }
  }

  /// Whether what was written is on disk, or cannot be: folders of some file systems, pipes and terminals know no flush.
  private static func flush(_ descriptor: Int32) -> Bool {
    retryingInterrupted { fsync(descriptor) } == 0 || errno == EINVAL || errno == ENOTSUP
  }

  /// Whether something is there that is neither a file nor a folder.
  private static func isSpecial(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
  }

  private static func writeAndClose(
    _ descriptor: Int32, _ path: String, _ body: (borrowing FileSink) throws(Failure) -> Void
  ) throws(Failure) {
    do throws(Failure) {
      try body(FileSink(descriptor: descriptor, path: path))
      guard flush(descriptor) else { throw Failure.system(errno, path, "flushing to disk failed") }
    } catch {
      close(descriptor)
      throw error
    }
    // Network file systems report a full disk as late as here. An interrupted close has closed.
    guard close(descriptor) == 0 || errno == EINTR else {
      throw Failure.system(errno, path, "closing failed")
    }
  }

  private static func openTemporary(beside path: String) throws(Failure) -> (name: String, descriptor: Int32)
  {
    while true {
      let name = "\(folder(of: path))/.tmp-\(String(UInt64.random(in: 0...UInt64.max), radix: 16))"
      // 0666: the process's umask decides, as for any other file.
      let descriptor = retryingInterrupted { open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
      if descriptor >= 0 { return (name, descriptor) }
      guard errno == EEXIST else { throw Failure.system(errno, path, "creating the file failed") }
    }
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

/// The open end of a file that is being written from front to back.
public struct FileSink: ~Copyable {
  private let descriptor: Int32
  private let path: String

  /// - Parameter path: what errors call the file. The descriptor stays the caller's to close.
  package init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  /// Appends all the bytes, with one system call where the system takes them at once.
  ///
  /// - Throws: `.inputOutput` with the path and what the system said ("No space left on device").
  public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var done = 0
    while done < bytes.count {
      let count = retryingInterrupted {
        Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      }
      guard count >= 0 else { throw Failure.system(errno, path, "writing failed") }
      done += count
    }
  }

  /// Returns when everything written so far is on disk.
  ///
  /// - Throws: `.inputOutput` with the path and what the system said.
  public func synchronize() throws(Failure) {
    guard retryingInterrupted({ fdatasync(descriptor) }) == 0 else {
      throw Failure.system(errno, path, "flushing to disk failed")
    }
  }

  /// Appends all the bytes.
  ///
  /// - Throws: as `write(_:)` of a raw buffer.
  public func write(_ bytes: [UInt8]) throws(Failure) {
    try bytes.withUnsafeBufferPointer { buffer throws(Failure) in try write(UnsafeRawBufferPointer(buffer)) }
  }
}

// MARK: - Folders

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

  /// Whether two names stand for one file or folder that is there.
  package static func isSameFile(_ path: String, _ other: String) -> Bool {
    var status = stat(), otherStatus = stat()
    guard stat(path, &status) == 0, stat(other, &otherStatus) == 0 else { return false }
    return status.st_dev == otherStatus.st_dev && status.st_ino == otherStatus.st_ino
  }
}
