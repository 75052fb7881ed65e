import Diagnostics
import Foundation

/// Where a command speaks to a person. Rank 0 alone has a console that talks; on every other rank each call
/// is a no-op, so that callers need not know their rank.
///
/// Information goes to standard output; warnings and errors to standard error. With ``log(to:)`` every line,
/// the earlier ones included, also goes to a file, behind its time. With `json`, standard output is kept for
/// ``result(_:)`` and everything else goes to standard error.
///
/// On a terminal the last two lines may be live, redrawn in place: a progress line, and below it that of a whole run.
public final class Console {
  /// Whether this console shows anything.
  public let talks: Bool
  /// Whether standard output is kept for one JSON object.
  public let json: Bool
  /// The file that every line also goes to, once there is one.
  private(set) var logFile: LogFile?

  private let chat: Int32
  private let output: Int32
  private let errors: Int32
  private let clock: () -> Double
  private let terminal: Terminal?
  /// What was said before there was a log to say it in.
  private var unlogged: [(text: String, time: Double)] = []
  /// A live line's text, for that many columns.
  package typealias LiveText = (_ columns: Int) -> String
  private var progressLine: LiveText?
  private var runLine: LiveText?
  /// How many live lines stand on the terminal; the cursor is behind the last one.
  private var drawn = 0
  /// The columns of a terminal that does not say how many it has.
  private static let usualColumns = 80

  /// - Parameters:
  ///   - talks: whether anything is shown; true on rank 0.
  ///   - json: keeps standard output for ``result(_:)``.
  ///   - output: the descriptor of standard output.
  ///   - errors: the descriptor of standard error.
  ///   - clock: seconds from an arbitrary start.
  public init(
    talks: Bool, json: Bool = false, output: Int32 = 1, errors: Int32 = 2,
    clock: @escaping () -> Double = Console.monotonicSeconds
  ) {
    self.talks = talks
    self.json = json
    self.output = output
    self.errors = errors
    self.clock = clock
    chat = json ? errors : output
    terminal = talks ? Terminal.behind(chat) : nil
  }

  /// Seconds of the system's monotonic clock.
  public static func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// The time, for progress lines.
  var now: Double { clock() }

  // MARK: Lines

  /// A line as the notebook prints it: `[Info]: Finish loading data!`.
  public func info(_ text: String) { line("[Info]: \(text.printable)") }

  /// A line, or several, as they are but for what a terminal must not get from names in them.
  public func line(_ text: String) { show(text.printableLines, on: chat) }

  /// Something a person should know, although the work goes on.
  public func warning(_ text: String) { show("warning: \(text.onOneLine.printable)", on: errors) }

  /// Why the work ends.
  public func error(_ failure: Failure) { show("error: \(failure.message)", on: errors) }

  /// The figure a command was asked for, on standard output, also with `json`.
  ///
  /// - Throws: `inputOutput` when it cannot be written: a figure that is lost is a failure.
  public func result(_ text: String) throws { try result(Array((text + "\n").utf8)) }

  /// The bytes a command was asked for, on standard output as they are.
  ///
  /// - Throws: as for a text.
  public func result(_ bytes: [UInt8]) throws {
    guard talks else { return }
    erase()
    guard writeAll(bytes, to: output) else {
      throw Failure(.inputOutput, "standard output: \(String(cString: strerror(errno)))")
    }
    draw()
  }

  private func show(_ text: String, on descriptor: Int32) {
    guard talks else { return }
    erase()
    _ = writeAll(text + "\n", to: descriptor)
    record(text)
    draw()
  }

  // MARK: Progress

  /// Starts a progress line: `Train`, `step`, 2000.
  package func progress(_ label: String, unit: String, total: Int) -> ProgressBar {
    ProgressBar(ProgressLine(label, unit: unit, total: total), on: self)
  }

  /// Shows a progress line while `body` runs. It is left standing, or taken away when `body` fails.
  package func progress<Result>(
    _ label: String, unit: String, total: Int, _ body: (ProgressBar) throws -> Result
  ) rethrows -> Result {
    let bar = progress(label, unit: unit, total: total)
    do {
      let result = try body(bar)
      bar.finish()
      return result
    } catch {
      bar.abandon()
      throw error
    }
  }

  /// Whether lines are redrawn in place.
  var isLive: Bool { terminal != nil }

  /// Shows a progress line, in the place of the last one.
  func showLive(_ text: @escaping LiveText) {
    progressLine = text
    draw()
  }

  /// Takes the progress line away.
  func endLive() {
    guard progressLine != nil else { return }
    erase()
    progressLine = nil
    draw()
  }

  /// Keeps a line of the whole run below the progress line, drawn whenever that is; `nil` takes it away.
  package func keepRunLine(_ text: LiveText?) {
    erase()
    runLine = text
    draw()
  }

  /// Says how the whole run is, where no line of it is kept: in a file, and in the log.
  package func milestone(_ text: String) {
    guard talks else { return }
    if isLive { record(text) } else { line(text) }
  }

  private func draw() {
    guard let terminal else { return }
    // A line that wraps could not be taken back.
    let columns = max(1, (terminal.columns ?? Self.usualColumns) - 1)
    let lines = [progressLine, runLine].compactMap { $0.map { String($0(columns).prefix(columns)) } }
    guard !lines.isEmpty || drawn > 0 else { return }
    let text = lines.map { "\($0)\u{1B}[K" }.joined(separator: "\n")
    _ = writeAll("\(toFirstLine)\(text)\(lines.count < drawn ? "\u{1B}[J" : "")", to: chat)
    drawn = lines.count
  }

  private func erase() {
    guard drawn > 0 else { return }
    _ = writeAll("\(toFirstLine)\u{1B}[J", to: chat)
    drawn = 0
  }

  /// Moves the cursor to where the first live line begins.
  private var toFirstLine: String { drawn > 1 ? "\r\u{1B}[\(drawn - 1)A" : "\r" }

  // MARK: The log

  /// Every line, from the first to the last, also goes to the end of that file.
  ///
  /// - Throws: `inputOutput` when it cannot be opened.
  public func log(to path: String) throws {
    guard talks else { return }
    logFile = try LogFile(path)
    for line in unlogged { record(line.text, at: line.time) }
    unlogged = []
  }

  private func record(_ text: String, at time: Double = WallClock.now) {
    guard let logFile else { return unlogged.append((text, time)) }
    guard let reason = logFile.append(text, at: time) else { return }
    self.logFile = nil
    _ = writeAll("warning: the log cannot be written any longer: \(reason)\n", to: errors)
  }
}

/// `log.txt`: what was shown, each line behind its time in UTC. Lines may come from any thread.
package final class LogFile: Sendable {
  private let descriptor: Int32

  /// Opens a file to append to it.
  ///
  /// - Throws: `inputOutput` when it cannot be opened.
  package init(_ path: String) throws(Failure) {
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw Failure(.inputOutput, "\(path): the log cannot be opened: \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  /// Appends a line.
  ///
  /// - Parameter time: seconds since 1970.
  /// - Returns: why it could not be written, if it could not.
  package func append(_ line: String, at time: Double = WallClock.now) -> String? {
    writeAll("\(WallClock.utc(time)) \(line)\n", to: descriptor) ? nil : String(cString: strerror(errno))
  }
}

/// The time of day.
package enum WallClock {
  /// Seconds since 1970.
  package static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// A time in UTC by ISO 8601, with milliseconds: `2023-03-10T09:05:07.250Z`.
  ///
  /// - Parameter time: seconds since 1970.
  package static func utc(_ time: Double) -> String {
    let milliseconds = Int((time * 1_000).rounded(.down))
    var seconds = time_t(milliseconds / 1_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    return String(
      format: "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1_900, parts.tm_mon + 1, parts.tm_mday,
      parts.tm_hour, parts.tm_min, parts.tm_sec, milliseconds % 1_000)
  }
}

/// Writes a text as it is; with `errno`, whether all of it could be.
private func writeAll(_ text: String, to descriptor: Int32) -> Bool {
  writeAll(Array(text.utf8), to: descriptor)
}

private func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { return false }
    rest = rest.dropFirst(count)
  }
  return true
}
