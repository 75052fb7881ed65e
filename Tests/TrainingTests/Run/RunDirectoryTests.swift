import Diagnostics
import Foundation
import TensorFiles
import TestSupport
import Testing
import Training

@Suite struct RunDirectoryTests {
  let folder = TemporaryFolder()

  @Test func aRunIsNeverOverwritten() throws {
    let path = "\(folder.path)/a/b/run"
    let run = try RunDirectory.create(at: path + "/")
    #expect(run.path == path)
    _ = try RunDirectory.create(at: path)  // still empty
    try run.write(.builtIn)
    let refused = Failure(
      .usage, "\(path): a run is there already; go on with it by --resume, or give another --run")
    #expect(throws: refused) { try RunDirectory.create(at: path) }
    #expect(try RunDirectory.open(path).configuration() == .builtIn)
  }

  @Test func aFolderOfOtherThingsMayBecomeARun() throws {
    try folder.write("notes", to: "run/README.txt")
    _ = try RunDirectory.create(at: "\(folder.path)/run")
  }

  @Test func whatIsNoRunIsMissingInput() throws {
    #expect(failure { _ = try RunDirectory.open("\(folder.path)/none") }?.kind == .missingInput)
    #expect(failure { _ = try RunDirectory.open(folder.path) }?.kind == .missingInput)
  }

  @Test func aPlaceThatCannotBeWrittenIsNamed() throws {
    try folder.write("", to: "file")
    #expect(failure { _ = try RunDirectory.create(at: "\(folder.path)/file") }?.kind == .inputOutput)
    #expect(failure { _ = try RunDirectory.create(at: "\(folder.path)/file/run") }?.kind == .inputOutput)
    #expect(failure { _ = try RunDirectory.create(at: "/proc/run") }?.kind == .inputOutput)
  }

  @Test func oneProcessWritesAtATime() throws {
    let run = try RunDirectory.create(at: "\(folder.path)/run")
    withExtendedLifetime(try run.lock()) {
      #expect(failure { _ = try run.lock(patience: 0) }?.kind == .usage)
    }
    _ = try run.lock(patience: 0)
  }

  // MARK: metrics.jsonl

  func metrics(_ step: Int, _ split: Metrics.Split = .train) -> Metrics {
    Metrics(
      step: step, epoch: Double(step) / 4, split: split, loss: 6.5 / Double(step), accuracy: 0.25,
      learningRate: 1e-5,
      stepsPerSecond: split == .train ? 43.5 : nil)
  }

  @Test func aLineHasItsKeysInOrder() {
    var line = metrics(10)
    line.more["seconds"] = 1.5
    #expect(
      line.json.serialized() == """
        {"step": 10, "epoch": 2.5, "split": "train", "loss": 0.65, "accuracy": 0.25, "lr": 1e-05, "steps_per_s": 43.5, \
        "seconds": 1.5}
        """)
  }

  @Test func aResumedRunHasTheLinesOfAnUndisturbedOne() throws {
    let path = "\(folder.path)/undisturbed.jsonl"
    let undisturbed = try MetricsLog(path: path)
    for step in 1...40 { try undisturbed.append(metrics(step)) }
    let expected = try #require(folder.text("undisturbed.jsonl"))

    for resumed in [0, 1, 20, 30] {
      let path = "\(folder.path)/resumed-\(resumed).jsonl"
      let first = try MetricsLog(path: path)
      for step in 1...30 { try first.append(metrics(step)) }
      // A kill in the middle of a line.
      let handle = try #require(FileHandle(forWritingAtPath: path))
      handle.seekToEndOfFile()
      handle.write(Data("{\"step\": 1, \"spl".utf8))
      try handle.close()

      let second = try MetricsLog(path: path, resumingAt: resumed)
      for step in (resumed + 1)...40 { try second.append(metrics(step)) }
      try second.synchronize()
      #expect(folder.text("resumed-\(resumed).jsonl") == expected)
    }
  }

  @Test func linesAreThereAtOnce() throws {
    let log = try MetricsLog(path: "\(folder.path)/m.jsonl")
    try log.append(metrics(1))
    #expect(folder.text("m.jsonl")?.hasSuffix("}\n") == true)
    #expect(throws: Failure.self) { try MetricsLog(path: "\(folder.path)/none/m.jsonl") }
  }
}
