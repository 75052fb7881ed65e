import Diagnostics
import Foundation

/// A lock between processes, by a file that stays; the system lets go of it however its holder ends.
///
/// On a file system without locks it is held at once: that is no reason not to work.
final class FileLock {
  private let descriptor: Int32

  /// Takes the lock, or fails when another process still holds it after `patience` seconds.
  ///
  /// - Throws: `inputOutput` if the file cannot be made.
  init?(_ path: String, patience: Double) throws {
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileSystem.failure(path, "the file cannot be written") }
    let deadline = Console.monotonicSeconds() + patience
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else { return }
      guard Console.monotonicSeconds() < deadline else { return nil }
      usleep(50_000)
    }
  }

  /// Lets go of the lock.
  func release() { flock(descriptor, LOCK_UN) }

  deinit { close(descriptor) }
}
