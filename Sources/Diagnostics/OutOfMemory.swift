import Glibc
import Synchronization

/// What happens where memory cannot be had and nothing can be thrown: in the middle of a step, other threads and ranks
/// under way. The process ends with one line and the status of `outOfMemory`; whoever knows of other ranks says how.
public enum OutOfMemory {
  private static let ending = Mutex<(@Sendable (Failure) -> Never)?>(nil)

  /// From here on the process ends so.
  public static func whenItHappens(_ end: @escaping @Sendable (Failure) -> Never) {
    ending.withLock { $0 = end }
  }

  /// Ends the process: so many bytes were not to be had.
  public static func end(_ bytes: Int, for purpose: String) -> Never {
    let limit = addressSpaceLimit.map { " (the limit is \(memoryText($0)), ulimit -v)" } ?? ""
    let failure = Failure(.outOfMemory, "\(memoryText(bytes)) of memory for \(purpose) cannot be had\(limit)")
    if let end = ending.withLock({ $0 }) { end(failure) }
    let line = Array("error: \(failure.message)\n".utf8)
    _ = write(2, line, line.count)
    _exit(failure.kind.rawValue)
  }

  /// Ends the process unless so many bytes can be had now; to be asked before a large piece is allocated, which would
  /// otherwise trap.
  public static func require(_ bytes: Int, for purpose: String) {
    guard bytes >= 1 << 20 else { return }
    let pages = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pages, pages != MAP_FAILED else { end(bytes, for: purpose) }
    munmap(pages, bytes)
  }

  /// The bytes of address space that this process may have (`ulimit -v`), or of data (`ulimit -d`) if that is less;
  /// `nil` without a limit.
  public static var addressSpaceLimit: Int? {
    [__rlimit_resource_t(9), __rlimit_resource_t(2)].compactMap { resource in
      var limit = rlimit()
      guard getrlimit(resource, &limit) == 0 else { return nil }
      return Int(exactly: limit.rlim_cur)
    }.min()
  }
}

/// A size as people read it: `512 KiB`, `38.5 MiB`, `1.2 GiB`.
public func memoryText(_ bytes: Int) -> String {
  var size = Double(bytes) / 1024
  var units = ["KiB", "MiB", "GiB", "TiB", "PiB"][...]
  while size >= 1_000, units.count > 1 {
    size /= 1024
    units.removeFirst()
  }
  let tenths = Int(min((size * 10).rounded(), 1e15))
  return size < 100 && tenths % 10 != 0
    ? "\(tenths / 10).\(tenths % 10) \(units.first!)" : "\((tenths + 5) / 10) \(units.first!)"
}
