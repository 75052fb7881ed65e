import Diagnostics

/// How many floats go between this rank and every other in a `startAllToAll`, and where they lie.
///
/// The numbers are kept as C integers at an address that does not change, because MPI reads them until the
/// exchange has completed. A plan is built once and used every step.
///
/// `@unchecked Sendable`: the memory is written by `init` alone.
public final class ExchangePlan: @unchecked Sendable {
  /// The number of ranks, and of entries in each table.
  public let ranks: Int
  /// Floats this rank sends to each rank.
  public let sendCounts: UnsafePointer<Int32>
  /// Where, in floats from the start of the send buffer, the block for each rank begins.
  public let sendOffsets: UnsafePointer<Int32>
  /// Floats this rank receives from each rank.
  public let receiveCounts: UnsafePointer<Int32>
  /// Where, in floats from the start of the receive buffer, the block of each rank goes.
  public let receiveOffsets: UnsafePointer<Int32>

  /// - Throws: `Failure.usage` when a count or an offset does not fit the 32 bits that MPI gives it.
  public init(
    sendCounts: [Int], sendOffsets: [Int], receiveCounts: [Int], receiveOffsets: [Int]
  ) throws(Failure) {
    ranks = sendCounts.count
    precondition(
      sendOffsets.count == ranks && receiveCounts.count == ranks && receiveOffsets.count == ranks,
      "an exchange plan needs one count and one offset a rank")
    for table in [sendCounts, sendOffsets, receiveCounts, receiveOffsets] { try requireCInts(table) }
    self.sendCounts = cInts(sendCounts)
    self.sendOffsets = cInts(sendOffsets)
    self.receiveCounts = cInts(receiveCounts)
    self.receiveOffsets = cInts(receiveOffsets)
  }

  deinit {
    for table in [sendCounts, sendOffsets, receiveCounts, receiveOffsets] { table.deallocate() }
  }
}

/// Which block of a buffer each rank contributes to a `startAllGather`.
///
/// `@unchecked Sendable`: the memory is written by `init` alone.
public final class GatherPlan: @unchecked Sendable {
  /// The number of ranks, and of entries in each table.
  public let ranks: Int
  /// Floats each rank contributes.
  public let counts: UnsafePointer<Int32>
  /// Where, in floats from the start of the buffer, each rank's block lies.
  public let offsets: UnsafePointer<Int32>

  /// - Throws: `Failure.usage` when a count or an offset does not fit the 32 bits that MPI gives it.
  public init(counts: [Int], offsets: [Int]) throws(Failure) {
    ranks = counts.count
    precondition(offsets.count == ranks, "a gather plan needs one count and one offset a rank")
    try requireCInts(counts)
    try requireCInts(offsets)
    self.counts = cInts(counts)
    self.offsets = cInts(offsets)
  }

  deinit {
    counts.deallocate()
    offsets.deallocate()
  }
}

private func requireCInts(_ values: [Int]) throws(Failure) {
  for value in values where Int32(exactly: value) == nil {
    throw Failure(
      .usage, "an exchange of \(value) floats is more than MPI counts (\(Int32.max)): use smaller buckets")
  }
}

private func cInts(_ values: [Int]) -> UnsafePointer<Int32> {
  let table = UnsafeMutablePointer<Int32>.allocate(capacity: max(values.count, 1))
  for (index, value) in values.enumerated() { (table + index).initialize(to: Int32(value)) }
  return UnsafePointer(table)
}

/// Floats on a cache line's boundary, zero at first, freed with their owner.
package final class AlignedFloats {
  /// Element 0.
  package let start: UnsafeMutablePointer<Float>
  /// The number of elements.
  package let count: Int

  package init(count: Int) {
    OutOfMemory.require(4 * count, for: "the exchange of gradients")
    let bytes = UnsafeMutableRawPointer.allocate(
      byteCount: max(count, 1) * MemoryLayout<Float>.stride, alignment: 64)
    start = bytes.bindMemory(to: Float.self, capacity: max(count, 1))
    start.initialize(repeating: 0, count: max(count, 1))
    self.count = count
  }

  deinit { start.deallocate() }

  /// A copy of the elements.
  package var array: [Float] { Array(UnsafeBufferPointer(start: start, count: count)) }
}
