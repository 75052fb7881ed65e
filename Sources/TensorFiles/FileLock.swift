import Diagnostics
import Glibc

/// A lock between processes on a folder, or on a file that stays; the system lets go of it however its holder ends.
///
/// On a file system without locks it is held at once: that is no reason not to work.
package final class FileLock: Sendable {
  private let descriptor: Int32

  /// Takes the lock, or fails when another process still holds it after `patience` seconds.
  ///
  /// - Parameters:
  ///   - path: a folder that is there, or a file, which is made if it is not.
  ///   - onWait: called once when another process is found to hold the lock.
  /// - Throws: `.inputOutput` if the file cannot be made.
  package init?(_ path: String, patience: Double, onWait: () -> Void = {}) throws(Failure) {
    let deadline = Self.seconds + patience
    let isFolder = FileWriting.isFolder(path)
    var isWaiting = false
    var opened = try Self.open(path, isFolder)
    while true {
      if flock(opened, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK && errno != EINTR {
        if Self.isStill(opened, at: path) { break }
        // Its holder has renamed or removed it: what has the name now is another one.
        close(opened)
        opened = try Self.open(path, isFolder)
        continue
      }
      guard Self.seconds < deadline else {
        close(opened)
        return nil
      }
      if !isWaiting { onWait() }
      isWaiting = true
      usleep(50_000)
    }
    descriptor = opened
  }

  /// Lets go of the lock.
  package func release() { flock(descriptor, LOCK_UN) }

  deinit { close(descriptor) }

  private static func open(_ path: String, _ isFolder: Bool) throws(Failure) -> Int32 {
    if isFolder { try FileWriting.createFolder(path) }
    let flags = isFolder ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT
    let descriptor = Glibc.open(path, flags | O_CLOEXEC | O_NONBLOCK, 0o666)
    guard descriptor >= 0 else { throw Failure.system(errno, path, "the file cannot be written") }
    return descriptor
  }

  private static func isStill(_ descriptor: Int32, at path: String) -> Bool {
    var mine = stat(), named = stat()
    guard fstat(descriptor, &mine) == 0, stat(path, &named) == 0 else { return false }
    return mine.st_dev == named.st_dev && mine.st_ino == named.st_ino
  }

  private static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
