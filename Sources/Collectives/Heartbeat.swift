import Diagnostics

/// What a rank tells the others about itself about once a second.
public struct Heartbeat: Equatable, Sendable {
  /// The step it is in.
  public var step: Int
  /// What it does there.
  public var operation: Activity.Operation
  /// Whether it waits for others in that, rather than others for it.
  public var isWaiting: Bool
  /// Seconds since it last moved.
  public var stillness: Double
  /// Whether it has ended, so that nothing more will be heard of it.
  public var isLast: Bool

  /// A heartbeat.
  public init(
    step: Int, operation: Activity.Operation, isWaiting: Bool = false, stillness: Double = 0,
    isLast: Bool = false
  ) {
    self.step = step
    self.operation = operation
    self.isWaiting = isWaiting
    self.stillness = stillness
    self.isLast = isLast
  }
}

// As it travels: three words, the same on every rank because all run one program on one kind of processor.
extension Heartbeat {
  /// How many words ``write(to:)`` writes.
  package static let wordCount = 3

  package func write(to words: UnsafeMutablePointer<UInt64>) {
    words[0] = UInt64(bitPattern: Int64(step))
    words[1] = UInt64(operation.rawValue) | (isWaiting ? 1 << 8 : 0) | (isLast ? 1 << 9 : 0)
    words[2] = stillness.bitPattern
  }

  package init(words: UnsafePointer<UInt64>) {
    self.init(
      step: Int(Int64(bitPattern: words[0])),
      operation: Activity.Operation(rawValue: UInt8(truncatingIfNeeded: words[1])) ?? .starting,
      isWaiting: words[1] & 1 << 8 != 0, stillness: Double(bitPattern: words[2]),
      isLast: words[1] & 1 << 9 != 0)
  }
}

/// A way for heartbeats between ranks, beside whatever else they exchange. For one thread of each rank.
public protocol HeartbeatChannel: Sendable {
  /// Sends a heartbeat without waiting for it to arrive.
  ///
  /// - Returns: false when an earlier one to that rank is still on its way; this one is then dropped.
  @discardableResult
  func send(_ beat: Heartbeat, to rank: Int) throws(Failure) -> Bool

  /// A heartbeat that has arrived, and the rank it is from; `nil` when there is none.
  func receive() throws(Failure) -> (from: Int, beat: Heartbeat)?
}

extension Communicator {
  /// Nobody watches ranks that live and die together, in one process.
  public var activity: Activity? { nil }

  /// Ranks in one process need none.
  public func openHeartbeats() throws -> (any HeartbeatChannel)? { nil }
}
