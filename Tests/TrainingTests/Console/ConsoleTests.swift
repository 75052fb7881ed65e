import Diagnostics
import Foundation
import TestSupport
import Testing
import Training

/// A console that writes to files, with a clock the test sets.
final class RecordedConsole {
  let folder = TemporaryFolder()
  var time = 100.0
  private(set) var console: Console!
  private var descriptors: [Int32] = []

  init(talks: Bool = true, json: Bool = false) {
    descriptors = ["out", "err"].map { open("\(folder.path)/\($0)", O_WRONLY | O_CREAT | O_APPEND, 0o600) }
    console = Console(
      talks: talks, json: json, output: descriptors[0], errors: descriptors[1],
      clock: { [unowned self] in time })
  }

  deinit { descriptors.forEach { close($0) } }

  var output: String { text("out") }
  var errors: String { text("err") }

  func text(_ name: String) -> String { folder.text(name) ?? "" }
}

@Suite struct ConsoleTests {
  @Test("a file gets plain lines, one for a finished bar") func plainLines() {
    let recorded = RecordedConsole()
    let console = recorded.console!
    console.info("Finish loading data!")
    let bar = console.progress("Train", unit: "step", total: 2_000)
    for _ in 0..<2_000 {
      recorded.time += 0.0125
      bar.advance(["loss": .fixed(2, digits: 2)])
    }
    bar.finish([
      "accuracy": .fixed(0.5625, digits: 2), "loss": .fixed(2.07, digits: 2), "step": .count(52_000),
    ])
    bar.finish()
    console.line("Step 70000, best model saved. (accuracy=0.5323)")
    #expect(
      recorded.output == """
        [Info]: Finish loading data!
        Train: 100% 2000/2000 [00:25<00:00, 80.00 step/s, accuracy=0.56, loss=2.07, step=52000]
        Step 70000, best model saved. (accuracy=0.5323)

        """)
    #expect(recorded.errors.isEmpty)
  }

  @Test("a slow run writes a line every half minute") func slowRun() {
    let recorded = RecordedConsole()
    let bar = recorded.console.progress("Train", unit: "step", total: 100)
    for step in 1...100 {
      recorded.time += 1
      bar.advance(["step": .count(step)])
    }
    bar.finish(["step": .count(100)])
    #expect(
      recorded.output == """
        Train:  30% 30/100 [00:30<01:10,  1.00 step/s, step=30]
        Train:  60% 60/100 [01:00<00:40,  1.00 step/s, step=60]
        Train:  90% 90/100 [01:30<00:10,  1.00 step/s, step=90]
        Train: 100% 100/100 [01:40<00:00,  1.00 step/s, step=100]

        """)
  }

  @Test("the rate is tqdm's moving average") func rate() {
    let recorded = RecordedConsole()
    let bar = recorded.console.progress("Train", unit: "step", total: 1_000)
    // tqdm: EMA of units and of seconds with smoothing 0.3; 300 in 30 s, then 30 in 30 s.
    recorded.time += 30
    bar.advance(by: 300)
    recorded.time += 30
    bar.advance(by: 30)
    let lines = recorded.output.split(separator: "\n")
    #expect(lines[0] == "Train:  30% 300/1000 [00:30<01:10, 10.00 step/s]")
    #expect(lines[1] == "Train:  33% 330/1000 [01:00<02:22,  4.71 step/s]")
  }

  @Test("with --json nothing but the result is on standard output") func json() throws {
    let recorded = RecordedConsole(json: true)
    recorded.console.info("Finish loading data!")
    recorded.console.progress("Valid", unit: "uttr", total: 3).finish()
    recorded.console.warning("two\nlines")
    try recorded.console.result("{\"accuracy\": 1.0}")
    #expect(recorded.output == "{\"accuracy\": 1.0}\n")
    #expect(recorded.errors.contains("[Info]: Finish loading data!\n"))
    #expect(recorded.errors.hasSuffix("warning: two lines\n"))
  }

  @Test("ranks other than 0 say and write nothing") func otherRanks() throws {
    let recorded = RecordedConsole(talks: false)
    recorded.console.info("x")
    recorded.console.warning("x")
    recorded.console.error(Failure(.usage, "x"))
    try recorded.console.result("x")
    try recorded.console.log(to: "\(recorded.folder.path)/log.txt")
    recorded.console.progress("Train", unit: "step", total: 3).finish()
    #expect(recorded.output + recorded.errors + recorded.text("log.txt") == "")
  }

  @Test("the log has every line, each behind its time") func log() throws {
    let recorded = RecordedConsole()
    recorded.console.info("before the log")
    try recorded.console.log(to: "\(recorded.folder.path)/log.txt")
    recorded.console.info("a")
    recorded.console.warning("b")
    recorded.console.error(Failure(.badData, "c"))
    let lines = recorded.text("log.txt").split(separator: "\n")
    let time = #/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ /#
    #expect(lines.allSatisfy { $0.prefixMatch(of: time) != nil })
    #expect(
      lines.map { String($0.dropFirst(25)) } == [
        "[Info]: before the log", "[Info]: a", "warning: b", "error: c",
      ])
    #expect(lines.map { $0.prefix(24) } == lines.map { $0.prefix(24) }.sorted())
    #expect(throws: Failure.self) { try recorded.console.log(to: "/proc/no/log.txt") }
  }

  @Test(
    "times are UTC by ISO 8601, with milliseconds",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (1_678_439_107.25, "2023-03-10T09:05:07.250Z"),
      (4_107_542_399.9996, "2100-02-28T23:59:59.999Z"),
    ]) func utc(time: Double, text: String)
  {
    #expect(WallClock.utc(time) == text)
  }

  @Test("a message without end is cut in its middle") func longMessage() {
    let recorded = RecordedConsole()
    recorded.console.warning(String(repeating: "x", count: 100_000) + "\nexpected a name")
    let line = recorded.errors
    #expect(line.count < 1_300)
    #expect(line.hasPrefix("warning: xxx") && line.hasSuffix("x expected a name\n") && line.contains(" … "))
  }

  /// A console on a terminal of so many columns, and what was shown on it in the end.
  private func onTerminal(columns: UInt16, _ body: (Console, _ wait: (Double) -> Void) -> Void) throws
    -> String
  {
    var master: Int32 = 0
    var slave: Int32 = 0
    var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    try #require(openpty(&master, &slave, nil, nil, &size) == 0)
    defer { close(master) }
    var time = 0.0
    body(Console(talks: true, output: slave, errors: slave, clock: { time })) { time += $0 }
    close(slave)
    return readAll(master)
  }

  @Test("a terminal is redrawn and left clean") func terminal() throws {
    let shown = try onTerminal(columns: 80) { console, wait in
      let bar = console.progress("Train", unit: "step", total: 10)
      for step in 1...10 {
        wait(0.05)
        bar.advance(["step": .count(step)])
      }
      console.info("in between")
      bar.finish(["step": .count(10)])
    }
    // Eleven states, but ten a second at most: the start and every second step.
    #expect(shown.components(separatedBy: "\rTrain:").count - 1 >= 6)
    #expect(shown.contains("\r\u{1B}[J[Info]: in between\r\n"))
    #expect(
      Screen(shown, columns: 80).lines == [
        "[Info]: in between", "Train: 100% 10/10 [00:00<00:00, 20.00 step/s, step=10]",
      ])
  }

  @Test("the whole run's line stays below what comes and goes", arguments: [20, 40, 80, 100, 200])
  func runLine(columns: UInt16) throws {
    let line = RunLine(total: 20, first: 0)
    var during = ""
    let shown = try onTerminal(columns: columns) { console, wait in
      var step = 0
      var elapsed = 0.0
      console.keepRunLine { line.text(step: step, elapsed: elapsed, columns: $0, blocks: false) }
      for _ in 0..<2 {
        let bar = console.progress("Train", unit: "step", total: 10)
        for _ in 0..<10 {
          wait(1)
          step += 1
          elapsed += 1
          bar.advance(["step": .count(step)])
        }
        bar.finish()
        console.warning("step \(step)")
        console.milestone("only in the log")
      }
      during = "Run: 100%"
      console.keepRunLine(nil)
      console.info("done")
    }
    #expect(shown.contains(during))
    #expect(!shown.contains("only in the log"))
    // What is left standing may wrap; what was redrawn never has, or it would stand there too.
    let text = Screen(shown, columns: Int(columns)).lines.joined()
    let train = "Train: 100% 10/10 [00:10<00:00,  1.00 step/s]"
    #expect(text == "\(train)warning: step 10\(train)warning: step 20[Info]: done")
  }

  private func readAll(_ descriptor: Int32) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer[..<count]
    }
  }
}

/// A terminal that knows what a console tells it: lines that wrap, `\r`, `\n`, cursor up, and clearing.
struct Screen {
  private var rows: [[Character]] = [[]]
  private var row = 0, column = 0

  /// What stands on it in the end.
  var lines: [String] {
    rows.map { String($0) }.reversed().drop { $0.isEmpty }.reversed()
  }

  init(_ text: String, columns: Int) {
    var rest = Array(text.unicodeScalars)[...]
    while let scalar = rest.popFirst() {
      switch scalar {
      case "\r": column = 0
      case "\n": down()
      case "\u{1B}":
        rest = rest.dropFirst()
        let digits = rest.prefix { $0.properties.numericType != nil }
        rest = rest.dropFirst(digits.count)
        control(rest.popFirst()!, Int(String(String.UnicodeScalarView(digits))) ?? 1)
      default:
        if column == columns {
          down()
          column = 0
        }
        while rows[row].count <= column { rows[row].append(" ") }
        rows[row][column] = Character(scalar)
        column += 1
      }
    }
  }

  private mutating func down() {
    row += 1
    if row == rows.count { rows.append([]) }
  }

  private mutating func control(_ letter: Unicode.Scalar, _ count: Int) {
    switch letter {
    case "A": row -= count
    case "K": rows[row] = Array(rows[row].prefix(column))
    case "J":
      rows[row] = Array(rows[row].prefix(column))
      rows.removeSubrange((row + 1)...)
    default: Issue.record("the terminal does not know \(letter)")
    }
  }
}
