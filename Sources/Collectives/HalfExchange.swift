import Diagnostics

/// An all-to-all of floats that are bfloat16 numbers, sent as such: two in the room of a float.
final class HalfExchange {
  private let floats: ExchangePlan
  private let halves: ExchangePlan
  private let sent: AlignedFloats
  private let received: AlignedFloats

  /// - Parameter plan: the exchange of floats that this one stands for.
  init(of plan: ExchangePlan) throws(Failure) {
    floats = plan
    let (sendCounts, sendOffsets) = Self.packed(plan.sendCounts, plan.ranks)
    let (receiveCounts, receiveOffsets) = Self.packed(plan.receiveCounts, plan.ranks)
    halves = try ExchangePlan(
      sendCounts: sendCounts, sendOffsets: sendOffsets, receiveCounts: receiveCounts,
      receiveOffsets: receiveOffsets)
    sent = AlignedFloats(count: sendCounts.reduce(0, +))
    received = AlignedFloats(count: receiveCounts.reduce(0, +))
  }

  /// Packs what goes to each rank and starts sending it.
  func start<C: Communicator>(
    _ communicator: C, _ root: UnsafePointer<Float>
  ) throws(Failure) -> C.Request {
    for rank in 0..<floats.ranks {
      BFloat16.pack(
        root + Int(floats.sendOffsets[rank]), count: Int(floats.sendCounts[rank]),
        into: sent.start + Int(halves.sendOffsets[rank]))
    }
    return try communicator.startAllToAll(halves, send: sent.start, receive: received.start)
  }

  /// Puts what has arrived where the exchange of floats would have put it.
  func unpack(into values: UnsafeMutablePointer<Float>) {
    for rank in 0..<floats.ranks {
      BFloat16.unpack(
        received.start + Int(halves.receiveOffsets[rank]), count: Int(floats.receiveCounts[rank]),
        into: values + Int(floats.receiveOffsets[rank]))
    }
  }

  /// Room in floats for each rank's block, and where it begins.
  private static func packed(_ counts: UnsafePointer<Int32>, _ ranks: Int) -> ([Int], [Int]) {
    var offset = 0
    var offsets: [Int] = []
    let room = (0..<ranks).map { BFloat16.room(for: Int(counts[$0])) }
    for count in room {
      offsets.append(offset)
      offset += count
    }
    return (room, offsets)
  }
}
