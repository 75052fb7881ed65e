import Diagnostics
import Foundation
import TensorFiles
import TestSupport
import Testing
import Training

/// `timeline.jsonl` and `run.json`: when a run did what, and who computed it.
@Suite("The timeline, and who made a run") struct RunTimelineTests {
  let folder = TemporaryFolder()
  var path: String { "\(folder.path)/timeline.jsonl" }

  @Test("a line has its event, time and step, and what belongs to the event")
  func format() throws {
    let timeline = try RunTimeline(path: path)
    let events: [RunTimeline.Event] = [
      .start(isResumed: false, ranks: 2, totalSteps: 20), .load(seconds: 1.5),
      .steps(count: 10, seconds: 0.1254),
      .validation(seconds: 2, isComplete: true), .save(.checkpoint, seconds: 0.25), .save(.best, seconds: 0),
      .stall(message: "rank 1 on \"h\""), .stop(.signal(message: "stopped"), seconds: 9),
      .stop(.failure(message: "no\nspace", status: 74), seconds: 9), .stop(.finished, seconds: 9),
    ]
    for (index, event) in events.enumerated() {
      timeline.note(event, step: index, at: 1_678_439_107 + Double(index) / 4)
    }
    let expected = [
      #""start", "time": "2023-03-10T09:05:07.000Z", "step": 0, "resumed": false, "ranks": 2, "total_steps": 20"#,
      #""load", "time": "2023-03-10T09:05:07.250Z", "step": 1, "seconds": 1.5"#,
      #""steps", "time": "2023-03-10T09:05:07.500Z", "step": 2, "steps": 10, "seconds": 0.125"#,
      #""validation", "time": "2023-03-10T09:05:07.750Z", "step": 3, "complete": true, "seconds": 2.0"#,
      #""save", "time": "2023-03-10T09:05:08.000Z", "step": 4, "saved": "checkpoint", "seconds": 0.25"#,
      #""save", "time": "2023-03-10T09:05:08.250Z", "step": 5, "saved": "best", "seconds": 0.0"#,
      #""stall", "time": "2023-03-10T09:05:08.500Z", "step": 6, "message": "rank 1 on \"h\"""#,
      #""stop", "time": "2023-03-10T09:05:08.750Z", "step": 7, "reason": "signal", "message": "stopped", "seconds": 9.0"#,
      #""stop", "time": "2023-03-10T09:05:09.000Z", "step": 8, "reason": "failure", "message": "no\nspace", "#
        + #""status": 74, "seconds": 9.0"#,
      #""stop", "time": "2023-03-10T09:05:09.250Z", "step": 9, "reason": "finished", "seconds": 9.0"#,
    ].map { "{\"event\": \($0)}\n" }.joined()
    #expect(folder.text("timeline.jsonl") == expected)
  }

  @Test("a start after a kill in the middle of a line goes on behind the last whole one")
  func kill() throws {
    try RunTimeline(path: path).note(.load(seconds: 1), step: 0)
    let whole = try #require(folder.text("timeline.jsonl"))
    try folder.write(whole + String(whole.dropLast(7)), to: "timeline.jsonl")
    try RunTimeline(path: path).note(.load(seconds: 2), step: 5)
    let lines = try #require(folder.text("timeline.jsonl")).split(
      separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 3 && lines[2].isEmpty)
    #expect(lines[0] + "\n" == whole)
    #expect(try JSON.parse(Array(lines[1].utf8), name: "line")["step"] == 5)
  }

  @Test("events may come from many threads, each a line") func threads() async throws {
    let timeline = try RunTimeline(path: path)
    await withTaskGroup(of: Void.self) { group in
      for step in 0..<200 { group.addTask { timeline.note(.steps(count: 1, seconds: 1), step: step) } }
    }
    let lines = try #require(folder.text("timeline.jsonl")).split(separator: "\n")
    #expect(try Set(lines.map { try JSON.parse(Array($0.utf8), name: "line")["step"]?.int }) == Set(0..<200))
  }

  // MARK: run.json

  func start(step: Int, data: String = "/data/packed") -> RunStart {
    RunStart(
      step: step, data: .init(path: data, fingerprint: 0xFEED_0000_0000_0001, isBuiltIn: false),
      ranks: [
        .init(host: "h1", threads: 2, kernels: "OpenBLAS"),
        .init(host: "h2", threads: 1, kernels: "OpenBLAS"),
      ])
  }

  @Test("who started a run is read as it was written, the newest first") func roundTrip() throws {
    let run = try RunDirectory.begin(at: "\(folder.path)/run").directory
    #expect(try RunStart.read(run) == nil)
    for step in [0, 100, 200] {
      let start = start(step: step)
      try start.write(to: run) { Issue.record("\($0)") }
      #expect(try RunStart.read(run) == start)
    }
    let json = try JSON.read(path: run.startFile)
    #expect(json["data"]?["path"] == "/data/packed")
    #expect(json["data"]?["fingerprint"] == "feed000000000001")
    #expect(json["data"]?["built_in"] == false)
    #expect(json["version"]?.string == programVersion)
    #expect(json["command"]?.array?.compactMap(\.string) == CommandLine.arguments)
    #expect(json["hosts"] == ["h1", "h2"] && json["threads"] == [2, 1] && json["ranks"] == 2)
    #expect(json["earlier_starts"]?.array?.compactMap { $0["step"]?.int } == [100, 0])
    #expect(json["earlier_starts"]?.array?.allSatisfy { $0["earlier_starts"] == nil } == true)
  }

  @Test("the data's path is absolute, wherever it was given") func absolutePath() {
    let here = FileManager.default.currentDirectoryPath
    #expect(start(step: 0, data: "Dataset").data.path == "\(here)/Dataset")
    #expect(start(step: 0, data: "./a/../Dataset/").data.path == "\(here)/Dataset")
  }

  @Test("a damaged run.json is bad data to a reader, and does not stop a start") func damage() throws {
    let run = try RunDirectory.begin(at: "\(folder.path)/run").directory
    try start(step: 0).write(to: run) { Issue.record("\($0)") }
    let whole = Array(try #require(folder.text("run/run.json")).utf8)
    var random = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      var bytes = whole
      if Bool.random(using: &random) {
        bytes = Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &random)))
      }
      for _ in 0..<3 where !bytes.isEmpty {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      try Data(bytes).write(to: URL(fileURLWithPath: run.startFile))
      do { _ = try RunStart.read(run) } catch { #expect((error as? Failure)?.kind == .badData) }
    }
    try folder.write("{", to: "run/run.json")
    var warnings: [String] = []
    try start(step: 7).write(to: run) { warnings.append($0) }
    #expect(warnings.count == 1)
    #expect(try RunStart.read(run)?.step == 7)
  }
}
