import Glibc
import TensorCore
import Testing

@Suite("The arena") struct ArenaTests {
  @Test("what is taken lies on cache lines and does not overlap") func requests() {
    let arena = Arena()
    var ranges: [Range<UInt>] = []
    for size in [1, 3, 64, 65, 1000, 0, 7] {
      let address = UInt(bitPattern: arena.bytes(size))
      #expect(address % 64 == 0)
      ranges.append(address..<address + UInt(size))
    }
    let floats = UInt(bitPattern: arena.floats(9)), integers = UInt(bitPattern: arena.integers(5))
    ranges += [floats..<floats + 36, integers..<integers + 20]
    let matrix = arena.matrix(3, 5)
    #expect(matrix.rows == 3 && matrix.columns == 5 && matrix.stride == 5 && matrix.isDense)
    for (one, other) in zip(ranges, ranges.dropFirst()) { #expect(one.upperBound <= other.lowerBound) }
  }

  @Test("memory comes back after a mark and after a reset") func marks() {
    let arena = Arena()
    let first = arena.floats(100)
    let mark = arena.mark
    let second = arena.floats(100)
    arena.release(to: mark)
    #expect(arena.floats(50) == second)
    #expect(arena.highWater == 2 * 448)
    arena.reset()
    #expect(arena.floats(1) == first)
    #expect(arena.highWater == 2 * 448)
  }

  @Test("untouched pages cost nothing, and trimmed ones are given back") func pages() {
    let arena = Arena()
    let large = arena.floats(16 << 20)
    for index in stride(from: 0, to: 16 << 20, by: 1024) { large[index] = 1 }
    #expect(resident(large, bytes: 64 << 20) == 64 << 20)
    arena.reset()
    arena.trim(keeping: 1 << 20)
    #expect(resident(large, bytes: 64 << 20) <= (1 << 20) + 0x10000)
    #expect(arena.highWater <= (1 << 20) + 0x10000)
    // The memory is there again when it is needed.
    let again = arena.floats(16 << 20)
    #expect(again == large && again[(16 << 20) - 1] == 0)
    again[(16 << 20) - 1] = 2
    let untouched = Arena()
    #expect(resident(untouched.floats(1 << 30), bytes: 1 << 32) == 0)
  }

  /// Bytes of a run of memory that are in the computer's.
  private func resident(_ start: UnsafeMutablePointer<Float>, bytes: Int) -> Int {
    let page = sysconf(Int32(_SC_PAGESIZE))
    var pages = [UInt8](repeating: 0, count: bytes / page)
    guard mincore(start, bytes, &pages) == 0 else { return -1 }
    return pages.count { $0 & 1 == 1 } * page
  }
}
