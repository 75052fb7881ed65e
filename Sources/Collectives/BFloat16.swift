import CKernels
import Diagnostics

/// bfloat16, the upper half of a float: its exponent, and 8 of its 24 bits of precision.
///
/// Sums of bfloat16 pieces are the same on any number of ranks when every node of the tree is rounded: then each
/// node is a bfloat16 number wherever it is computed, and nothing is lost when it is sent as one.
public enum BFloat16 {
  /// Rounds to the nearest bfloat16, ties to even, in place; infinities and NaN stay.
  public static func round(_ values: UnsafeMutablePointer<Float>, count: Int) {
    kernel_bfloat16_round(count, values)
  }

  /// `result = round(left + right)`; `result` may be `left` or `right` itself.
  public static func add(
    _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>,
    count: Int
  ) {
    kernel_bfloat16_add(count, left, right, result)
  }

  /// Writes values that are bfloat16 numbers already as pairs of 16 bits into `(count + 1) / 2` floats' room.
  static func pack(_ values: UnsafePointer<Float>, count: Int, into room: UnsafeMutablePointer<Float>) {
    room.withMemoryRebound(to: UInt16.self, capacity: 2 * self.room(for: count)) {
      kernel_bfloat16_pack(count, values, $0)
    }
  }

  /// Reads back what ``pack(_:count:into:)`` wrote.
  static func unpack(_ room: UnsafePointer<Float>, count: Int, into values: UnsafeMutablePointer<Float>) {
    room.withMemoryRebound(to: UInt16.self, capacity: 2 * self.room(for: count)) {
      kernel_bfloat16_unpack(count, $0, values)
    }
  }

  /// Floats that ``pack(_:count:into:)`` needs room for.
  static func room(for count: Int) -> Int { (count + 1) / 2 }
}

/// What every node of the tree over the shards is rounded to, and sent as (`train.exchange`).
public enum NodePrecision: String, CaseIterable, Sendable {
  /// Not at all: floats of 24 bits of precision, 4 bytes.
  case f32
  /// To the nearest bfloat16: 8 bits of precision, 2 bytes. The same bits on any number of ranks too.
  case bf16
}

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
