import Diagnostics

/// What comes on mpirun's standard error, sorted: lines for people go on as they are, events are taken out, and what
/// mpirun puts between lines of dashes becomes one line.
///
/// Such a banner waits a while. When the job ends with a status of the program's own, the program has said why, and what
/// mpirun says about it is left out.
package struct ErrorRelay {
  /// What a line is.
  package enum Output: Equatable, Sendable {
    /// To be shown, without the end of the line.
    case line([UInt8])
    /// What the training tells.
    case event(LaunchEvent)
  }

  /// Seconds that a banner waits for the end of the job.
  package static let patience = 10.0
  /// The most bytes of a banner that are shown: mpirun's advice fills a screen, and what is wrong stands first.
  private static let limit = 400

  private var open: [[UInt8]]?
  private var waiting: [(text: [UInt8], time: Double)] = []

  package init() {}

  /// Takes a line, without its end, at a time in seconds.
  package mutating func take(_ line: [UInt8], at time: Double) -> [Output] {
    if let mark = line.firstIndex(of: LaunchEvent.mark) {
      guard let event = LaunchEvent(line[line.index(after: mark)...]) else { return [.line(line)] }
      // Behind what another rank has said without an end.
      return mark > 0 ? [.line(Array(line[..<mark])), .event(event)] : [.event(event)]
    }
    guard line.count < 40 || !line.allSatisfy({ $0 == UInt8(ascii: "-") }) else {
      if let lines = open {
        open = nil
        if let banner = Self.banner(lines) { waiting.append((banner, time)) }
      } else {
        open = []
      }
      return []
    }
    guard let lines = open else { return [.line(line)] }
    // Longer than any of mpirun's: it was somebody's row of dashes.
    if lines.count >= 100 {
      open = nil
      return (lines + [line]).map(Output.line)
    }
    open = lines + [line]
    return []
  }

  /// Banners that have waited long enough, while the job goes on.
  package mutating func due(at time: Double) -> [[UInt8]] {
    let due = waiting.filter { time - $0.time >= Self.patience }
    waiting.removeAll { time - $0.time >= Self.patience }
    return due.map(\.text)
  }

  /// The banners that are left when the job has ended with that status.
  package mutating func finish(status: Int32) -> [[UInt8]] {
    let rest = waiting.map(\.text) + (open.flatMap(Self.banner).map { [$0] } ?? [])
    self = ErrorRelay()
    return status == 0 || Failure.Kind(rawValue: status) != nil ? [] : rest
  }

  /// A banner's lines as one.
  private static func banner(_ lines: [[UInt8]]) -> [UInt8]? {
    let words = lines.joined(separator: [0x20]).split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    guard !words.isEmpty else { return nil }
    let text = Array(words.joined(separator: [0x20]))
    // mpirun names itself, mostly.
    let name = Array("mpirun".utf8)
    let named = text.starts(with: name) ? text : name + Array(": ".utf8) + text
    return named.count > limit ? named.prefix(limit) + Array(" ...".utf8) : named
  }
}

/// Cuts bytes into lines.
package struct LineSplitter {
  private var rest: [UInt8] = []
  /// The longest that a line may become before it is cut.
  private let limit: Int

  /// - Parameter limit: the longest that a line may become before it is cut.
  package init(limit: Int = 1 << 16) { self.limit = limit }

  /// The lines that are complete with these bytes, without their ends.
  package mutating func take(_ bytes: some Sequence<UInt8>) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    for byte in bytes {
      if byte == UInt8(ascii: "\n") || rest.count >= limit {
        lines.append(rest)
        rest = []
        if byte == UInt8(ascii: "\n") { continue }
      }
      rest.append(byte)
    }
    return lines
  }

  /// What is left when nothing more comes.
  package mutating func finish() -> [UInt8]? {
    defer { rest = [] }
    return rest.isEmpty ? nil : rest
  }
}
