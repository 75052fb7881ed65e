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
    if console.isLive { console.showLive(line.text(done: 0, elapsed: 0)) }
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
    let text = line.text(done: done, elapsed: now - start, rate: rate.value, values: values())
    if console.isLive {
      console.showLive(text)
    } else if done < line.total {  // what is complete, `finish` says
      console.line(text)
    }
  }

  /// Counts up to `count` in all; what was counted already is not counted again.
  public func reach(_ count: Int) { advance(by: count - done) }

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
