import Diagnostics
import Foundation

/// Where a command speaks to a person. Rank 0 alone has a console that talks; on every other rank each call
/// is a no-op, so that callers need not know their rank.
///
/// Information goes to standard output; warnings and errors to standard error. With ``log(to:)`` every line,
/// the earlier ones included, also goes to a file. With `json`, standard output is kept for ``result(_:)`` and everything
/// else goes to standard error.
public final class Console {
  /// Whether this console shows anything.
  public let talks: Bool
  /// Whether standard output is kept for one JSON object.
  public let json: Bool

  private let chat: Int32
  private let output: Int32
  private let errors: Int32
  private let clock: () -> Double
  private let terminal: Terminal?
  private var logFile: Int32?
  /// What was said before there was a log to say it in.
  private var unlogged = ""
  private var live = ""

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

  deinit {
    if let logFile { close(logFile) }
  }

  /// Seconds of the system's monotonic clock.
  public static func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  // MARK: Lines

  /// A line as the notebook prints it: `[Info]: Finish loading data!`.
  public func info(_ text: String) { line("[Info]: \(text)") }

  /// A line as it is.
  public func line(_ text: String) { show(text, on: chat) }

  /// Something a person should know, although the work goes on.
  public func warning(_ text: String) { show("warning: \(text.oneLine)", on: errors) }

  /// Why the work ends.
  public func error(_ failure: Failure) { show("error: \(failure.message.oneLine)", on: errors) }

  /// The figure a command was asked for, on standard output, also with `json`.
  ///
  /// - Throws: `inputOutput` when it cannot be written: a figure that is lost is a failure.
  public func result(_ text: String) throws {
    guard talks else { return }
    endLive()
    guard Self.write(text + "\n", to: output) else {
      throw Failure(.inputOutput, "standard output: \(String(cString: strerror(errno)))")
    }
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

  /// Whether progress lines are redrawn in place.
  var isLive: Bool { terminal != nil }

  /// The time, for progress lines.
  var now: Double { clock() }

  /// Puts `text` where the last live line stood.
  func showLive(_ text: String) {
    guard let terminal else { return }
    // A line that wraps could not be taken back.
    let shown = terminal.columns.map { String(text.prefix(max(1, $0 - 1))) } ?? text
    let rest = String(repeating: " ", count: max(0, live.count - shown.count))
    _ = Self.write("\r\(shown)\(rest)", to: chat)
    live = shown
  }

  /// Takes the live line away.
  func endLive() {
    guard !live.isEmpty else { return }
    _ = Self.write("\r" + String(repeating: " ", count: live.count) + "\r", to: chat)
    live = ""
  }

  // MARK: The log

  /// Every line, from the first to the last, also goes to the end of that file.
  ///
  /// - Throws: `inputOutput` when it cannot be opened.
  public func log(to path: String) throws {
    guard talks else { return }
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard file >= 0 else {
      throw Failure(.inputOutput, "\(path): the log cannot be opened: \(String(cString: strerror(errno)))")
    }
    if let logFile { close(logFile) }
    logFile = file
    record(unlogged)
    unlogged = ""
  }

  private func show(_ text: String, on descriptor: Int32) {
    guard talks else { return }
    let redrawn = live
    endLive()
    _ = Self.write(text + "\n", to: descriptor)
    if logFile == nil { unlogged += text + "\n" } else { record(text + "\n") }
    if !redrawn.isEmpty { showLive(redrawn) }
  }

  private func record(_ text: String) {
    guard let file = logFile, !Self.write(text, to: file) else { return }
    let reason = String(cString: strerror(errno))
    close(file)
    logFile = nil
    _ = Self.write("warning: the log cannot be written any longer: \(reason)\n", to: errors)
  }

  private static func write(_ text: String, to descriptor: Int32) -> Bool {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}

extension String {
  /// Without line breaks, which would make two messages of one.
  fileprivate var oneLine: String {
    split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}
