/// What a step spends its time on.
public enum Phase: Int, CaseIterable, Sendable {
  case products, softmax, normalization, activation, dropout, convolution, data, exchange, optimizer, other
}

/// Time by phase, of one worker. Off, a measurement costs one branch.
public final class PhaseClock {
  /// One measured interval, in nanoseconds of the monotonic clock.
  public struct Interval: Sendable {
    /// What was done.
    public let phase: Phase
    /// When it began and ended.
    public let start: UInt64, end: UInt64
  }

  /// Whether anything is measured.
  public private(set) var isOn = false
  /// Nanoseconds spent in each phase since the last reset.
  public private(set) var totals: [UInt64]
  /// The intervals themselves, when they are to be kept.
  public private(set) var intervals: [Interval] = []
  private var keepsIntervals = false
  private var worked: UInt64 = 0, waited: UInt64 = 0, measured: UInt64 = 0

  /// Nanoseconds spent in ``work(_:)`` since the last reset, those in ``wait(_:)`` taken off: in a phase or between
  /// two.
  public var busy: UInt64 { worked - waited }

  /// A clock that stands still.
  public init() { totals = Array(repeating: 0, count: Phase.allCases.count) }

  /// Measures from now on. Not while it is in use.
  ///
  /// - Parameter keepsIntervals: also remember each interval, for a trace; memory grows with every one.
  public func start(keepsIntervals: Bool = false) {
    isOn = true
    self.keepsIntervals = keepsIntervals
    reset()
  }

  /// Runs `body` and adds its time to `phase`.
  @inline(__always)
  public func measure<Result, E: Error>(_ phase: Phase, _ body: () throws(E) -> Result) throws(E) -> Result {
    guard isOn else { return try body() }
    let start = monotonicNanoseconds()
    let result = try body()
    add(phase, from: start, to: monotonicNanoseconds())
    return result
  }

  /// Runs `body`, a whole piece of work that measures its own phases.
  public func work<Result>(_ body: () -> Result) -> Result {
    guard isOn else { return body() }
    let start = monotonicNanoseconds()
    defer { worked += monotonicNanoseconds() - start }
    return body()
  }

  /// Runs `body`, in the middle of a piece of work, which waits while others may use the processor. Phases that are
  /// measured in it are work all the same.
  public func wait<Result>(_ body: () -> Result) -> Result {
    guard isOn else { return body() }
    let start = monotonicNanoseconds(), before = measured
    defer { waited += monotonicNanoseconds() - start - (measured - before) }
    return body()
  }

  /// Adds an interval that was measured elsewhere.
  public func add(_ phase: Phase, from start: UInt64, to end: UInt64) {
    totals[phase.rawValue] += end - start
    measured += end - start
    if keepsIntervals { intervals.append(Interval(phase: phase, start: start, end: end)) }
  }

  /// Forgets what was measured.
  public func reset() {
    for index in totals.indices { totals[index] = 0 }
    worked = 0
    waited = 0
    intervals.removeAll(keepingCapacity: true)
  }
}
