import Synchronization

/// What a rank is doing at this moment, noted by the threads that do it and read by its watchdog.
///
/// A note is a few relaxed atomic writes: it takes no lock, and costs nanoseconds. A reader may see the step of one
/// note with the operation of the next, which is good enough to say where a rank has stopped.
public final class Activity: Sendable {
  /// The parts of a training run in which a rank can stop.
  public enum Operation: UInt8, Sendable, CaseIterable {
    case starting, computing, readingData, batchNormSum, lossSum, gradientExchange, parameterGather, checksum
    case validation, checkpoint

    /// What the part is called in a message.
    public var name: String {
      switch self {
      case .starting: "starting"
      case .computing: "computing"
      case .readingData: "reading data"
      case .batchNormSum: "BatchNorm sum"
      case .lossSum: "loss sum"
      case .gradientExchange: "gradient exchange"
      case .parameterGather: "parameter gather"
      case .checksum: "checksum"
      case .validation: "validation"
      case .checkpoint: "checkpoint"
      }
    }
  }

  private let currentStep = Atomic(0)
  private let currentOperation = Atomic(Operation.starting.rawValue)
  /// Threads that read data right now, beside others that compute.
  private let readers = Atomic(0)
  private let waits = Atomic(false)
  private let movements = Atomic<UInt64>(0)

  /// A rank that is starting.
  public init() {}

  /// From here on the rank does this, in this step.
  public func note(_ operation: Operation, step: Int) {
    currentStep.store(step, ordering: .relaxed)
    note(operation)
  }

  /// From here on the rank does this, in the same step as before.
  public func note(_ operation: Operation) {
    currentOperation.store(operation.rawValue, ordering: .relaxed)
    advance()
  }

  /// A piece of what the rank does is done: it is slow, perhaps, but alive.
  public func advance() { movements.wrappingAdd(1, ordering: .relaxed) }

  /// Runs `body`, which reads data on one of several threads.
  public func reading<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
    readers.wrappingAdd(1, ordering: .relaxed)
    advance()
    defer {
      readers.wrappingSubtract(1, ordering: .relaxed)
      advance()
    }
    return try body()
  }

  /// Runs `body`, in which the rank waits for others. One thread at a time.
  public func waiting<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
    waits.store(true, ordering: .relaxed)
    advance()
    defer {
      waits.store(false, ordering: .relaxed)
      advance()
    }
    return try body()
  }

  // MARK: The reader's side

  /// The step of the last note.
  public var step: Int { currentStep.load(ordering: .relaxed) }

  /// What the rank does; reading data, if any of its threads does.
  public var operation: Operation {
    let noted = Operation(rawValue: currentOperation.load(ordering: .relaxed)) ?? .starting
    return noted == .computing && readers.load(ordering: .relaxed) > 0 ? .readingData : noted
  }

  /// Whether the rank waits for others, rather than others for it.
  public var isWaiting: Bool { waits.load(ordering: .relaxed) }

  /// A number that changes with every note: a rank of which it stays the same does not move.
  public var movement: UInt64 { movements.load(ordering: .relaxed) }
}
