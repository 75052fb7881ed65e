import Glibc

/// Memory for the activations of one pass: taken from the front, given back all at once or down to a mark.
///
/// The arena reserves address space and lets the system supply pages as they are touched, so it needs no size
/// and, once its pages are there, costs an addition for each request. It belongs to one thread at a time.
public final class Arena {
  /// Address space asked for, in bytes: more than any pass takes; untouched pages cost nothing. Where it is limited
  /// (`ulimit -v`, strict overcommit), an arena takes half as much, and half of that, down to `least`.
  private static let most = 1 << 36, least = 1 << 26
  /// Alignment of every request, in bytes: a cache line, and the widest vector.
  private static let alignment = 64

  private let base: UnsafeMutableRawPointer
  private let reservation: Int
  private var used = 0
  private var highest = 0

  /// An empty arena.
  public init() {
    var size = Self.most
    while size >= Self.least {
      let pages = mmap(
        nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
      if let pages, pages != MAP_FAILED {
        (base, reservation) = (pages, size)
        return
      }
      size /= 2
    }
    fatalError("no address space for activations: is there a limit (ulimit -v)?")
  }

  deinit { munmap(base, reservation) }

  /// A position to which ``release(to:)`` can return.
  public struct Mark {
    fileprivate let used: Int
  }

  /// The current position.
  public var mark: Mark { Mark(used: used) }

  /// The most bytes that were in use at once.
  public var highWater: Int { highest }

  /// Gives back everything taken since the mark.
  public func release(to mark: Mark) { used = mark.used }

  /// Gives back everything.
  public func reset() { used = 0 }

  /// Returns to the system the pages beyond `bytes`, for a pass that was much larger than usual.
  public func trim(keeping bytes: Int) {
    guard highest > bytes else { return }
    let start = (bytes + 0xFFFF) & ~0xFFFF
    if start < highest { madvise(base + start, highest - start, MADV_DONTNEED) }
    highest = min(highest, start)
  }

  /// A dense matrix with undefined content.
  public func matrix(_ rows: Int, _ columns: Int) -> Matrix {
    Matrix(floats(rows * columns), rows: rows, columns: columns)
  }

  /// `count` floats with undefined content.
  public func floats(_ count: Int) -> UnsafeMutablePointer<Float> {
    take(count * 4).bindMemory(to: Float.self, capacity: count)
  }

  /// `count` bytes with undefined content.
  public func bytes(_ count: Int) -> UnsafeMutablePointer<UInt8> {
    take(count).bindMemory(to: UInt8.self, capacity: count)
  }

  /// `count` 32-bit integers with undefined content.
  public func integers(_ count: Int) -> UnsafeMutablePointer<Int32> {
    take(count * 4).bindMemory(to: Int32.self, capacity: count)
  }

  private func take(_ size: Int) -> UnsafeMutableRawPointer {
    let start = used
    used = (used + size + Self.alignment - 1) & ~(Self.alignment - 1)
    precondition(
      used <= reservation, "a pass needs more address space than was granted: is there a limit (ulimit -v)?")
    highest = max(highest, used)
    return base + start
  }
}
