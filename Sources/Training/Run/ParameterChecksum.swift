import Collectives
import Diagnostics
import SpeakerNet

/// Notices that the ranks' copies of the network are no longer the same: memory that lost a bit, a processor that
/// computes wrongly, a defect of this program.
package enum ParameterChecksum {
  /// Compares all parameters and running statistics of all ranks. Collective.
  ///
  /// - Parameter step: steps done, for the message.
  /// - Throws: `rankLost` on all ranks, naming those that differ from the majority (from rank 0 without one).
  ///   An earlier checkpoint is right as far as this knows, so `--resume` goes on from it.
  package static func compare<C: Communicator>(_ state: ModelState, step: Int, _ communicator: C) throws {
    let parameters = UnsafeRawBufferPointer(start: state.parameters, count: state.layout.count * 4)
    let statistics = UnsafeRawBufferPointer(start: state.statistics, count: state.layout.statisticsCount * 4)
    let sums = try communicator.allGather(of(statistics, seed: of(parameters)))
    let odd = dissenters(sums)
    guard !odd.isEmpty else { return }
    let named = try communicator.places(of: odd)
    let reference = odd.contains(0) || odd.count < sums.count - odd.count ? "the others'" : "rank 0's"
    throw Failure(
      .rankLost,
      "step \(step): the parameters of \(named) differ from \(reference): is its memory or processor faulty?"
        + " Nothing of this step was saved; --resume goes on from the last checkpoint")
  }

  /// The ranks whose number is not the one that more than half of them have, or not rank 0's when there is none.
  package static func dissenters(_ sums: [UInt64]) -> [Int] {
    let counts = Dictionary(sums.map { ($0, 1) }, uniquingKeysWith: +)
    let reference = counts.first { $0.value > sums.count / 2 }?.key ?? sums[0]
    return sums.indices.filter { sums[$0] != reference }
  }

  /// A 64-bit checksum: FNV-1a (Fowler, Noll, Vo) over words of 64 bits in eight lanes, as fast as memory is read.
  ///
  /// Every round is a bijection of the lane for a given word, and of the word for a given lane, so a change to any
  /// one word changes the sum; the shift lets high bits reach low ones, which the multiplication alone does not.
  ///
  /// - Parameter bytes: any number of them, aligned or not.
  package static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0xCBF2_9CE4_8422_2325) -> UInt64 {
    var lanes = SIMD8<UInt64>(repeating: seed) &+ SIMD8(0, 1, 2, 3, 4, 5, 6, 7)
    var offset = 0
    while offset + 64 <= bytes.count {
      lanes = round(lanes, bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self))
      offset += 64
    }
    // The rest, filled up with zeros; the count below tells them from zeros that are there.
    var rest = SIMD8<UInt64>()
    for index in offset..<bytes.count {
      rest[(index - offset) / 8] |= UInt64(bytes[index]) << UInt64(8 * ((index - offset) % 8))
    }
    lanes = round(lanes, rest)
    var sum = seed ^ UInt64(bytes.count)
    for lane in 0..<8 {
      sum = (sum ^ lanes[lane]) &* 0x100_0000_01B3
      sum ^= sum >> 32
    }
    return sum
  }

  @inline(__always)
  private static func round(_ lanes: SIMD8<UInt64>, _ words: SIMD8<UInt64>) -> SIMD8<UInt64> {
    let mixed = (lanes ^ words) &* 0x100_0000_01B3
    return mixed ^ (mixed &>> 32)
  }
}
