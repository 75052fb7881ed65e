import Collectives
import TensorCore
import TensorFiles

/// A timeline in Chrome's trace event format, which Perfetto and chrome://tracing open: ranks as processes, threads
/// as threads, phases as complete events ("ph": "X"), times in microseconds.
struct ChromeTrace: Sendable {
  /// The whole file.
  let text: String

  /// Gathers the intervals of all ranks; `nil` but on rank 0. Collective.
  ///
  /// - Parameters:
  ///   - clocks: one for each slice under way, and the exchanging thread's.
  ///   - stepStarts: when each step began, and when the last ended.
  ///   - origin: this rank's clock when all ranks left a barrier. Ranks of one host share a clock; other hosts' are
  ///     laid over rank 0's by their origins, which is as good as a barrier is fast.
  init?<C: Communicator>(
    _ communicator: C, clocks: (workers: [PhaseClock], exchange: PhaseClock), stepStarts: [UInt64],
    origin: UInt64
  ) throws {
    let hosts = try communicator.allGather(text: communicator.hostName)
    let origins = try communicator.allGather(origin)
    let firstOfHost = hosts.firstIndex(of: communicator.hostName) ?? communicator.rank
    let zero = origins.indices.filter { hosts[$0] == hosts[firstOfHost] }.map { origins[$0] }.min() ?? origin

    let timeline = Timeline(rank: communicator.rank, zero: zero)
    var events = [
      timeline.named("process_name", thread: nil, "rank \(communicator.rank) on \(communicator.hostName)")
    ]
    events.append(timeline.named("thread_name", thread: 0, "steps, exchange, optimizer"))
    for (step, (start, end)) in zip(stepStarts, stepStarts.dropFirst()).enumerated() {
      events.append(timeline.event("step \(step)", from: start, to: end, thread: 0))
    }
    for interval in clocks.exchange.intervals { events.append(timeline.event(interval, thread: 0)) }
    for (worker, clock) in clocks.workers.enumerated() {
      events.append(timeline.named("thread_name", thread: worker + 1, "slices \(worker)"))
      for interval in clock.intervals { events.append(timeline.event(interval, thread: worker + 1)) }
    }
    let parts = try Self.gather(events.map { $0.serialized() }.joined(separator: ",\n"), communicator)
    guard let parts else { return nil }
    text = "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n" + parts.joined(separator: ",\n") + "\n]}\n"
  }

  private static func gather<C: Communicator>(_ mine: String, _ communicator: C) throws -> [String]? {
    let bytes = Array(mine.utf8)
    let counts = try communicator.allGather(bytes.count)
    let gathered = try bytes.withUnsafeBufferPointer { try communicator.gather($0, counts: counts) }
    guard let all = gathered else { return nil }
    var rest = all[...]
    return counts.map { count in
      defer { rest = rest.dropFirst(count) }
      return String(decoding: rest.prefix(count), as: UTF8.self)
    }
  }
}

/// One rank's events.
private struct Timeline {
  let rank: Int
  /// Nanoseconds of this host's clock that are the trace's zero.
  let zero: UInt64

  func event(_ interval: PhaseClock.Interval, thread: Int) -> JSON {
    event(String(describing: interval.phase), from: interval.start, to: interval.end, thread: thread)
  }

  func event(_ name: String, from start: UInt64, to end: UInt64, thread: Int) -> JSON {
    [
      "name": .string(name), "ph": "X", "ts": .number(Double(start - min(start, zero)) / 1000),
      "dur": .number(Double(end - start) / 1000), "pid": .integer(rank), "tid": .integer(thread),
    ]
  }

  func named(_ kind: String, thread: Int?, _ name: String) -> JSON {
    [
      "name": .string(kind), "ph": "M", "pid": .integer(rank), "tid": .integer(thread ?? 0),
      "args": ["name": .string(name)],
    ]
  }
}
