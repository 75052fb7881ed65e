import CAffinity
import Glibc

/// The processors that a thread may run on.
enum Processors {
  private static let bitsPerWord = UInt.bitWidth

  /// The numbers of those that the calling thread may use; empty when the system does not tell.
  static func allowed() -> [Int] {
    var set = cpu_set_t()
    guard sched_getaffinity(0, MemoryLayout<cpu_set_t>.size, &set) == 0 else { return [] }
    return withUnsafeBytes(of: &set) { bytes in
      let words = bytes.bindMemory(to: UInt.self)
      return (0..<words.count * bitsPerWord).filter { words[$0 / bitsPerWord] >> ($0 % bitsPerWord) & 1 == 1 }
    }
  }

  /// Keeps the calling thread on one processor; does nothing where the system does not let it.
  static func bind(to processor: Int) {
    var set = cpu_set_t()
    withUnsafeMutableBytes(of: &set) { bytes in
      let words = bytes.bindMemory(to: UInt.self)
      words[processor / bitsPerWord] |= 1 << (processor % bitsPerWord)
    }
    sched_setaffinity(0, MemoryLayout<cpu_set_t>.size, &set)
  }
}
