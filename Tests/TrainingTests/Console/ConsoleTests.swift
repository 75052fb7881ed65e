import Diagnostics
import Foundation
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

  func text(_ name: String) -> String {
    (try? String(contentsOfFile: "\(folder.path)/\(name)", encoding: .utf8)) ?? ""
  }
}

@Suite struct ConsoleTests {
  @Test func aFileGetsPlainLines() {
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

  @Test func aSlowRunShowsThatItIsAlive() {
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

  @Test func theRateIsTqdmsMovingAverage() {
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

  @Test func jsonKeepsStandardOutputClean() throws {
    let recorded = RecordedConsole(json: true)
    recorded.console.info("Finish loading data!")
    recorded.console.progress("Valid", unit: "uttr", total: 3).finish()
    recorded.console.warning("two\nlines")
    try recorded.console.result("{\"accuracy\": 1.0}")
    #expect(recorded.output == "{\"accuracy\": 1.0}\n")
    #expect(recorded.errors.contains("[Info]: Finish loading data!\n"))
    #expect(recorded.errors.hasSuffix("warning: two lines\n"))
  }

  @Test func otherRanksAreSilent() throws {
    let recorded = RecordedConsole(talks: false)
    recorded.console.info("x")
    recorded.console.warning("x")
    recorded.console.error(Failure(.usage, "x"))
    try recorded.console.result("x")
    try recorded.console.log(to: "\(recorded.folder.path)/log.txt")
    recorded.console.progress("Train", unit: "step", total: 3).finish()
    #expect(recorded.output + recorded.errors + recorded.text("log.txt") == "")
  }

  @Test func theLogHasEveryLine() throws {
    let recorded = RecordedConsole()
    recorded.console.info("before the log")
    try recorded.console.log(to: "\(recorded.folder.path)/log.txt")
    recorded.console.info("a")
    recorded.console.warning("b")
    recorded.console.error(Failure(.badData, "c"))
    #expect(recorded.text("log.txt") == "[Info]: before the log\n[Info]: a\nwarning: b\nerror: c\n")
    #expect(throws: Failure.self) { try recorded.console.log(to: "/proc/no/log.txt") }
  }

  @Test func aTerminalIsRedrawnAndLeftClean() throws {
    var master: Int32 = 0
    var slave: Int32 = 0
    try #require(openpty(&master, &slave, nil, nil, nil) == 0)
    defer { close(master) }
    var time = 0.0
    let console = Console(talks: true, output: slave, errors: slave, clock: { time })
    let bar = console.progress("Train", unit: "step", total: 10)
    for step in 1...10 {
      time += 0.05
      bar.advance(["step": .count(step)])
    }
    console.info("in between")
    bar.finish(["step": .count(10)])
    close(slave)
    let shown = readAll(master)
    // Eleven states, but ten a second at most: the start and every second step.
    #expect(shown.components(separatedBy: "\rTrain:").count - 1 >= 6)
    #expect(shown.contains("\r[Info]: in between\r\n"))
    #expect(shown.hasSuffix("\rTrain: 100% 10/10 [00:00<00:00, 20.00 step/s, step=10]\r\n"))
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
