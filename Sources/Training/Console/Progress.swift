import Foundation

/// A number shown at the end of a progress line.
public enum ProgressValue: Equatable, Sendable {
  /// A count, shortened as tqdm shortens numbers: 2000, 1e+4, 52000.
  case count(Int)
  /// A number with that many digits after the point.
  case fixed(Double, digits: Int)

  var text: String {
    switch self {
    case .count(let count):
      // tqdm's format_num: three digits in scientific form, if that is shorter.
      let short = String(format: "%.3g", Double(count))
        .replacingOccurrences(of: "e+0", with: "e+").replacingOccurrences(of: "e-0", with: "e-")
      let long = String(count)
      return short.utf8.count < long.utf8.count ? short : long
    case .fixed(let number, let digits):
      return String(format: "%.\(digits)f", number)
    }
  }
}

/// What a progress line says, to the letter as tqdm 4 says it with `ncols=0`:
///
///     Train: 100% 2000/2000 [00:45<00:00, 43.60 step/s, accuracy=0.56, loss=2.07, step=52000]
///
/// It is text only: when it is shown, and where, is ``ProgressBar``'s matter.
public struct ProgressLine: Equatable, Sendable {
  /// What is being done: `Train`.
  public var label: String
  /// What is counted: `step`.
  public var unit: String
  /// How many there are, at least 1.
  public var total: Int

  /// - Parameters:
  ///   - label: what is being done: `Train`.
  ///   - unit: what is counted: `step`.
  ///   - total: how many there are; values below 1 count as 1.
  public init(_ label: String, unit: String, total: Int) {
    self.label = label
    self.unit = unit
    self.total = max(1, total)
  }

  /// The line after `done` of `total`.
  ///
  /// - Parameters:
  ///   - elapsed: seconds since the start.
  ///   - rate: units a second; `nil` for the average so far.
  ///   - values: shown sorted by name.
  ///   - columns: the most characters it may have; what counts least is left out. `nil`: the whole line.
  public func text(
    done: Int, elapsed: Double, rate: Double? = nil, values: [String: ProgressValue] = [:],
    columns: Int? = nil
  ) -> String {
    let rate = rate ?? (elapsed > 0 ? Double(done) / elapsed : 0)
    let head = "\(label): \(String(format: "%3.0f%%", Double(done) / Double(total) * 100))"
    let remaining = rate > 0 ? durationText(Double(total - done) / rate) : "?"
    let times = "\(durationText(elapsed))<\(remaining)"
    let postfix = values.sorted { $0.key < $1.key }.map { ", \($0.key)=\($0.value.text)" }
    func whole(_ items: some Sequence<String>) -> String {
      "\(head) \(done)/\(total) [\(times)\(items.joined())]"
    }
    let speed = ", \(speed(rate))"
    let full = whole([speed] + postfix)
    guard let columns, full.count > columns else { return full }
    // The last value goes first, then the speed, then the other values; what is left in the end is how much is done.
    var shorter = [whole([speed] + postfix.dropLast())]
    for count in (0..<max(1, postfix.count)).reversed() { shorter.append(whole(postfix.prefix(count))) }
    shorter += ["\(head) [\(times)]", head]
    return shorter.first { $0.count <= columns } ?? String(head.prefix(max(0, columns)))
  }

  /// Units a second, or seconds a unit when that is above one.
  private func speed(_ rate: Double) -> String {
    guard rate > 0 else { return "? \(unit)/s" }
    return 1 / rate > 1
      ? String(format: "%5.2f", 1 / rate) + "s/ \(unit)"
      : String(format: "%5.2f", rate) + " \(unit)/s"
  }
}

/// What the line of a whole run says, below that of what is being done now:
///
///     Run:  12% |███▋                          | 8400/70000 [03:12<23:31, best accuracy=0.4523 at step 8000]
public struct RunLine: Equatable, Sendable {
  /// Steps of the whole run, at least 1.
  public let total: Int
  /// The step at which this start of the program began.
  public let first: Int
  /// The best validation so far.
  public var best: BestResult?

  /// The widest that the bar gets, in characters.
  private static let widestBar = 30, narrowestBar = 10

  /// - Parameters:
  ///   - total: steps of the whole run.
  ///   - first: steps that were done when this start of the program began.
  public init(total: Int, first: Int, best: BestResult? = nil) {
    self.total = max(1, total)
    self.first = first
    self.best = best
  }

  /// The line after `step` steps.
  ///
  /// - Parameters:
  ///   - elapsed: seconds since this start began to train. The time that is left is estimated by all of it, with its
  ///     validations and saves.
  ///   - columns: the most characters it may have; what counts least is left out. `nil`: the whole line without a bar,
  ///     as it is written to a file.
  ///   - blocks: whether the bar is drawn with block elements, in eighths; otherwise with `#`.
  public func text(step: Int, elapsed: Double, columns: Int? = nil, blocks: Bool = true) -> String {
    let share = min(1, max(0, Double(step) / Double(total)))
    let head = "Run: \(String(format: "%3.0f%%", share * 100))"
    let left = step > first ? durationText(elapsed * Double(total - step) / Double(step - first)) : "?"
    let times = "\(durationText(elapsed))<\(left)"
    let count = "\(step)/\(total)"
    let accuracy = best.map { ProgressValue.fixed($0.accuracy, digits: 4).text }
    let whole = "[\(times)\(best.map { ", best accuracy=\(accuracy!) at step \($0.step)" } ?? "")]"
    guard let columns else { return "\(head) \(count) \(whole)" }
    let short = accuracy.map { "[\(times), best=\($0)]" } ?? whole
    for tail in [whole, short] {
      let room = columns - "\(head) || \(count) \(tail)".count
      if room >= Self.narrowestBar {
        return "\(head) |\(bar(share, width: min(room, Self.widestBar), blocks))| \(count) \(tail)"
      }
    }
    let shorter = ["\(head) \(count) \(short)", "\(head) \(count) [\(times)]", "\(head) [\(times)]", head]
    return shorter.first { $0.count <= columns } ?? String(head.prefix(max(0, columns)))
  }

  private func bar(_ share: Double, width: Int, _ blocks: Bool) -> String {
    let steps = blocks ? Array(" ▏▎▍▌▋▊▉█") : Array(" #")
    let eighths = Int(share * Double(width * (steps.count - 1)))
    let (full, rest) = (eighths / (steps.count - 1), eighths % (steps.count - 1))
    let bar = String(repeating: steps.last!, count: full) + (rest > 0 ? String(steps[rest]) : "")
    return bar + String(repeating: " ", count: width - bar.count)
  }
}

/// A duration as tqdm writes it: mm:ss, from one hour on h:mm:ss; parts of a second are cut off.
func durationText(_ seconds: Double) -> String {
  // A rate near zero would put the end beyond what an integer holds.
  let seconds = Int(min(max(0, seconds), 1e15))
  let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60)
  let tail = String(format: "%02d:%02d", minutes, seconds % 60)
  return hours > 0 ? "\(hours):\(tail)" : tail
}

/// A progress line on its way: live on a terminal, else a plain line at the end and now and then.
///
/// Made by ``Console/progress(_:unit:total:)``. Calls between two showings cost one look at the clock.
public final class ProgressBar {
  /// Seconds between two showings on a terminal, as tqdm has it.
  static let liveInterval = 0.1
  /// Seconds between two lines in a file, so that a slow run is seen to be alive.
  static let heartbeatInterval = 30.0

  private var line: ProgressLine
  private let console: Console
  private let interval: Double
  private let start: Double
  private var done = 0
  private var shownDone = 0
  private var shownTime: Double
  private var rate = SmoothedRate()
  private var isOver = false

  init(_ line: ProgressLine, on console: Console) {
    self.line = line
    self.console = console
    interval = console.isLive ? Self.liveInterval : Self.heartbeatInterval
    start = console.now
    shownTime = start
    if console.isLive { console.showLive { line.text(done: 0, elapsed: 0, columns: $0) } }
  }

  /// Corrects how many there are, for work that only finds out on its way.
  public func expect(total: Int) { line.total = max(1, total) }

  /// Counts `count` more.
  ///
  /// - Parameter values: shown after the rate; only asked for when the line is shown.
  public func advance(by count: Int = 1, _ values: @autoclosure () -> [String: ProgressValue] = [:]) {
    done += count
    guard console.talks, !isOver else { return }
    let now = console.now
    guard now - shownTime >= interval else { return }
    rate.add(units: done - shownDone, seconds: now - shownTime)
    shownDone = done
    shownTime = now
    let (line, done, elapsed, rate, values) = (line, done, now - start, rate.value, values())
    if console.isLive {
      console.showLive { line.text(done: done, elapsed: elapsed, rate: rate, values: values, columns: $0) }
    } else if done < line.total {  // what is complete, `finish` says
      console.line(line.text(done: done, elapsed: elapsed, rate: rate, values: values))
    }
  }

  /// Counts up to `count` in all; what was counted already is not counted again.
  public func reach(_ count: Int, _ values: @autoclosure () -> [String: ProgressValue] = [:]) {
    advance(by: count - done, values())
  }

  /// Leaves the last line standing, with the average rate of the whole.
  public func finish(_ values: [String: ProgressValue] = [:]) {
    guard !isOver else { return }
    isOver = true
    console.endLive()
    console.line(line.text(done: done, elapsed: console.now - start, values: values))
  }

  /// Takes the line away without leaving one, for work that failed or had nothing to do.
  public func abandon() {
    isOver = true
    console.endLive()
  }
}

/// tqdm's rate: exponential averages (smoothing 0.3, bias-corrected) of units and of seconds.
struct SmoothedRate {
  private static let smoothing = 0.3
  private var units = 0.0, seconds = 0.0
  private var isEmpty = true

  /// Adds what happened between two showings; stretches without a unit are left out, as tqdm does.
  mutating func add(units newUnits: Int, seconds newSeconds: Double) {
    guard newUnits > 0, newSeconds > 0 else { return }
    units = Self.smoothing * Double(newUnits) + (1 - Self.smoothing) * units
    seconds = Self.smoothing * newSeconds + (1 - Self.smoothing) * seconds
    isEmpty = false
  }

  /// Units a second; the bias corrections of the two averages cancel.
  var value: Double? { isEmpty ? nil : units / seconds }
}
