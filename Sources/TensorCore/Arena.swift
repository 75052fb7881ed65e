import Glibc

/// Memory for the activations of one pass: taken from the front, given back all at once or down to a mark.
///
/// The arena reserves address space and lets the system supply pages as they are touched, so it needs no size
/// and, once its pages are there, costs an addition for each request. It belongs to one thread at a time.
public final class Arena {
  /// Address space reserved, in bytes: more than any pass takes; untouched pages cost nothing.
  private static let reservation = 1 << 38
  /// Alignment of every request, in bytes: a cache line, and the widest vector.
  private static let alignment = 64

  private let base: UnsafeMutableRawPointer
  private var used = 0
  private var highest = 0

  /// An empty arena.
  public init() {
    let pages = mmap(
      nil, Self.reservation, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let pages, pages != MAP_FAILED else { fatalError("no address space for an arena") }
    base = pages
  }

  deinit { munmap(base, Self.reservation) }

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
    precondition(used <= Self.reservation, "an arena is exhausted")
    highest = max(highest, used)
    return base + start
  }
}
