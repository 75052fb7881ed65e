import Diagnostics
import Glibc

/// Memory for the activations of one pass: taken from the front, given back all at once or down to a mark.
///
/// The arena reserves address space and lets the system supply pages as they are touched, so it needs no size
/// and, once its pages are there, costs an addition for each request. Where address space is limited it grows piece by
/// piece; what cannot be had ends the process (``OutOfMemory``). It belongs to one thread at a time.
public final class Arena {
  /// Address space asked for, in bytes: more than any pass takes; untouched pages cost nothing. Where it is limited
  /// (`ulimit -v`, strict overcommit), an arena takes what it needs, and at least `piece` at a time.
  private static let most = 1 << 36, piece = 1 << 23
  /// Alignment of every request, in bytes: a cache line, and the widest vector.
  private static let alignment = 64
  /// Where the memory of planned arenas would begin: beyond all that a processor addresses.
  private static var nowhere: UnsafeMutableRawPointer { UnsafeMutableRawPointer(bitPattern: 1 << 62)! }

  /// Whether it has no memory, and only counts what a pass would take: nobody may touch what it gives.
  public let isPlanned: Bool

  /// Mapped memory for the positions from `start` on. Positions go on from one piece to the next.
  private struct Piece {
    let base: UnsafeMutableRawPointer
    let start: Int, size: Int
    var end: Int { start + size }
  }

  private var pieces: [Piece] = []
  private var current = -1
  /// Of the piece in use: where position 0 would be, and its last position.
  private var base = nowhere
  private var end = 0
  private var used = 0
  private var highest = 0

  /// An empty arena.
  ///
  /// - Parameter isPlanned: whether it has no memory and only counts.
  public init(isPlanned: Bool = false) {
    self.isPlanned = isPlanned
    if isPlanned { end = 1 << 61 }
  }

  deinit { for piece in pieces { munmap(piece.base, piece.size) } }

  /// A position to which ``release(to:)`` can return.
  public struct Mark {
    fileprivate let used: Int
  }

  /// The current position.
  public var mark: Mark { Mark(used: used) }

  /// The most bytes that were in use at once.
  public var highWater: Int { highest }

  /// Gives back everything taken since the mark.
  public func release(to mark: Mark) {
    used = mark.used
    guard current > 0, used < pieces[current].start else { return }
    use(pieces.lastIndex { $0.start <= used } ?? 0)
  }

  /// Gives back everything.
  public func reset() { release(to: Mark(used: 0)) }

  /// Gives back everything, and to the system the pages beyond `bytes`, for a pass that was much larger than usual.
  public func trim(keeping bytes: Int) {
    guard highest > bytes else { return }
    reset()
    let start = (bytes + 0xFFFF) & ~0xFFFF
    while pieces.count > 1, let last = pieces.last, last.start >= start {
      munmap(last.base, last.size)
      pieces.removeLast()
    }
    for piece in pieces where piece.end > start {
      let first = max(piece.start, start), last = min(piece.end, highest)
      if first < last { madvise(piece.base + (first - piece.start), last - first, MADV_DONTNEED) }
    }
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
    let next = (used + size + Self.alignment - 1) & ~(Self.alignment - 1)
    guard next <= end else {
      grow(size)
      return take(size)
    }
    let start = used
    used = next
    highest = max(highest, used)
    return base + start
  }

  /// Goes on in the next piece, where `size` bytes fit; what is left of this one stays unused.
  private func grow(_ size: Int) {
    let rounded = (size + 0xFFFF) & ~0xFFFF
    if current + 1 == pieces.count || pieces[current + 1].size < rounded {
      for piece in pieces[(current + 1)...] { munmap(piece.base, piece.size) }
      pieces.removeSubrange((current + 1)...)
      let start = pieces.last?.end ?? 0
      let whole = OutOfMemory.addressSpaceLimit == nil ? Self.map(max(Self.most, rounded)) : nil
      guard let new = whole ?? Self.map(max(Self.piece, rounded)) ?? Self.map(rounded) else {
        OutOfMemory.end(rounded, for: "activations")
      }
      pieces.append(Piece(base: new.base, start: start, size: new.size))
    }
    use(current + 1)
    used = pieces[current].start
  }

  private func use(_ index: Int) {
    current = index
    base = pieces[index].base - pieces[index].start
    end = pieces[index].end
  }

  private static func map(_ size: Int) -> (base: UnsafeMutableRawPointer, size: Int)? {
    let pages = mmap(
      nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let pages, pages != MAP_FAILED else { return nil }
    return (pages, size)
  }
}
