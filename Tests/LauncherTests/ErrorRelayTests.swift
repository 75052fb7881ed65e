import Diagnostics
import Launcher
import Testing

/// What becomes of mpirun's standard error.
@Suite("What mpirun says") struct ErrorRelayTests {
  let dashes = String(repeating: "-", count: 74)

  /// Takes lines at time 0; what is shown at once, and the events.
  func take(_ lines: [String], _ relay: inout ErrorRelay) -> (lines: [String], events: [LaunchEvent]) {
    var shown: [String] = [], events: [LaunchEvent] = []
    for line in lines {
      for output in relay.take(Array(line.utf8), at: 0) {
        switch output {
        case .line(let text): shown.append(String(decoding: text, as: UTF8.self))
        case .event(let event): events.append(event)
        }
      }
    }
    return (shown, events)
  }

  func text(_ lines: [[UInt8]]) -> [String] { lines.map { String(decoding: $0, as: UTF8.self) } }

  @Test("lines for people go on as they are") func lines() {
    var relay = ErrorRelay()
    let said = ["error: rank 1 on h2: no data", "", "-----", "warning: \u{1B}"]
    #expect(take(said, &relay).lines == said)
    #expect(relay.finish(status: 1).isEmpty)
  }

  @Test("an event is taken out, also behind what another rank has left unfinished") func events() {
    var relay = ErrorRelay()
    let event = LaunchEvent.begun(run: "/r/ü \"x\"", step: 7)
    let line = String(decoding: event.line.dropLast(), as: UTF8.self)
    let found = take([line, "half a line" + line, "\u{1E}{\"event\":\"begun\"}", "\u{1E}no JSON"], &relay)
    #expect(found.events == [event, event])
    #expect(found.lines == ["half a line", "\u{1E}{\"event\":\"begun\"}", "\u{1E}no JSON"])
  }

  @Test("prose is no event, whatever it says") func prose() {
    var relay = ErrorRelay()
    let said = ["[Info]: Finish creating model!", #"{"event":"begun","run":"/r","step":0}"#]
    #expect(take(said, &relay).events.isEmpty)
  }

  @Test("a banner is one line, and left out where the program has said why", arguments: [0, 66, 74, 75, 76])
  func banner(status: Int32) {
    var relay = ErrorRelay()
    let banner = [
      dashes, "  mpirun noticed that process rank 2", "", "  exited on signal 9.", dashes, "after",
    ]
    #expect(take(banner, &relay).lines == ["after"])
    #expect(relay.finish(status: status).isEmpty)
    #expect(take(banner, &relay).lines == ["after"])
    #expect(text(relay.finish(status: 137)) == ["mpirun noticed that process rank 2 exited on signal 9."])
  }

  @Test("a banner of a job that goes on is shown after a while") func due() {
    var relay = ErrorRelay()
    _ = take([dashes, "A warning.", dashes], &relay)
    #expect(relay.due(at: ErrorRelay.patience / 2).isEmpty)
    #expect(text(relay.due(at: ErrorRelay.patience)) == ["mpirun: A warning."])
    #expect(relay.due(at: 2 * ErrorRelay.patience).isEmpty && relay.finish(status: 1).isEmpty)
  }

  @Test("a long banner is cut, one without an end is not lost, nor are lines behind a row of dashes")
  func odd() {
    var relay = ErrorRelay()
    _ = take([dashes, String(repeating: "advice ", count: 300), dashes, dashes, "the last words"], &relay)
    let rest = text(relay.finish(status: 1))
    #expect(rest.count == 2 && rest[0].count < 420 && rest[1] == "mpirun: the last words")
    let many = (0..<500).map { "line \($0)" }
    #expect(take([dashes] + many, &relay).lines == many)
  }

  @Test("lines are cut out of pieces, and a line without end at a limit") func splitting() {
    var splitter = LineSplitter(limit: 8)
    let pieces = ["ab", "c\nde\n", "\n", "0123456789ABCDEF\n", "rest"]
    let lines = pieces.flatMap { splitter.take($0.utf8) } + [splitter.finish()].compactMap(\.self)
    #expect(text(lines) == ["abc", "de", "", "01234567", "89ABCDEF", "rest"])
    #expect(splitter.finish() == nil)
  }

  @Test("random bytes lose nothing and begin nothing") func fuzz() {
    var random = SystemRandomNumberGenerator()
    let alphabet = Array("-\u{1E}{}\":beguneventrunstep0 \u{0}".utf8) + [0xFF]
    for _ in 0..<2_000 {
      var relay = ErrorRelay()
      var count = 0, shown = 0
      for _ in 0..<20 {
        let line = (0..<Int.random(in: 0..<60, using: &random)).map { _ in
          alphabet.randomElement(using: &random)!
        }
        count += line.count
        for output in relay.take(line, at: 0) {
          if case .line(let text) = output { shown += text.count } else { Issue.record("an event") }
        }
      }
      #expect(shown <= count)
    }
  }
}
