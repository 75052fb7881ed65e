import Diagnostics
import Foundation
import Synchronization
import TensorFiles
import TestSupport
import Testing
import Training

@Suite struct RunDirectoryTests {
  let folder = TemporaryFolder()

  func kind(_ body: () throws -> Void) -> Failure.Kind? {
    do {
      try body()
      return nil
    } catch {
      return (error as? Failure)?.kind
    }
  }

  func isFolder(_ name: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: "\(folder.path)/\(name)", isDirectory: &isFolder)
      && isFolder.boolValue
  }

  func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return ""
    } catch {
      return (error as? Failure)?.message ?? "\(error)"
    }
  }

  func save(step: Int, in run: RunDirectory) throws {
    try run.checkpoints(keep: 3).save(
      Checkpoint(
        progress: RunProgress(step: step, configuration: .builtIn), model: NamedTensors(),
        optimizer: NamedTensors()))
  }

  @Test("a run is not begun where one is, and what is there is said") func occupied() throws {
    let path = "\(folder.path)/a/b/run"
    let run = try RunDirectory.begin(at: path + "/").directory
    #expect(run.path == path)
    _ = try RunDirectory.begin(at: path)  // still empty
    try run.write(.builtIn)
    let advice = "; go on with it by --resume, begin anew with --overwrite, or give another --run"
    let fresh = message { _ = try RunDirectory.begin(at: path) }
    #expect(fresh.hasPrefix("\(path): a run is there already: nothing saved yet, begun 20"))
    #expect(fresh.hasSuffix(advice))
    try save(step: 400, in: run)
    let saved = message { _ = try RunDirectory.begin(at: path) }
    #expect(saved.hasPrefix("\(path): a run is there already: step 400 of 1200, last saved 20"))
    #expect(saved.hasSuffix(advice))
    #expect(kind { _ = try RunDirectory.begin(at: path) } == .usage)
    #expect(try RunDirectory.open(path).configuration() == .builtIn)
    try FileManager.default.removeItem(atPath: "\(path)/config.yaml")
    #expect(
      message { _ = try RunDirectory.begin(at: path) }.contains("parts of one, without its config.yaml"))
  }

  @Test("a folder of other things may become a run") func otherThings() throws {
    try folder.write("notes", to: "run/README.txt")
    _ = try RunDirectory.begin(at: "\(folder.path)/run")
  }

  @Test("overwriting removes a run's files, and nothing else") func overwriting() throws {
    let run = try RunDirectory.begin(at: "\(folder.path)/run").directory
    try run.write(.builtIn)
    for step in [10, 20] { try save(step: step, in: run) }
    try BestWeights.save(NamedTensors(), BestResult(accuracy: 1, loss: 0, step: 10), run: run)
    for name in ["metrics.jsonl", "timeline.jsonl", "run.json", "log.txt", "best/.tmp-0a1b"] {
      try folder.write("of the run", to: "run/\(name)")
    }
    try folder.write("", to: "run/checkpoints/.step-00000030.tmp-4711/model.safetensors")
    let foreign = [
      "notes.txt", ".git/config", "best/mine.txt", "checkpoints/step-00000010/plot.png",
      "checkpoints/.hidden",
      ".tmp-notes", "checkpoints/.step-x/y",
    ]
    for name in foreign { try folder.write("mine", to: "run/\(name)") }
    _ = try RunDirectory.begin(at: run.path, overwriting: true)
    let left = folder.contents.filter { !isFolder($0) }
    #expect(left.sorted() == (foreign.map { "run/\($0)" } + ["run/.lock"]).sorted())
    #expect(!folder.contents.contains("run/checkpoints/step-00000020"))
  }

  @Test("what is left when overwriting is cut short is no run to go on with") func cutShort() throws {
    let run = try RunDirectory.begin(at: "\(folder.path)/run").directory
    try run.write(.builtIn)
    try save(step: 10, in: run)
    // The first thing that goes.
    try FileManager.default.removeItem(atPath: run.configurationFile)
    #expect(kind { _ = try RunDirectory.open(run.path) } == .missingInput)
    _ = try RunDirectory.begin(at: run.path, overwriting: true)
    #expect(folder.contents == ["run", "run/.lock"])
  }

  @Test(
    "no run begins in a folder of data, not even by overwriting",
    arguments: ["metadata.json", "mapping.json", "testdata.json", "manifest.json"])
  func data(name: String) throws {
    try folder.write("{}", to: "data/\(name)")
    try folder.write("train: {seed: 1}", to: "data/config.yaml")
    for overwriting in [false, true] {
      let path = "\(folder.path)/data"
      #expect(kind { _ = try RunDirectory.begin(at: path, overwriting: overwriting) } == .usage)
      #expect(message { _ = try RunDirectory.begin(at: path, overwriting: overwriting) }.contains(name))
    }
    #expect(folder.contents == ["data", "data/config.yaml", "data/\(name)"])
  }

  @Test("of many that begin at once one gets the folder") func atOnce() throws {
    for round in 0..<20 {
      let path = "\(folder.path)/run-\(round)"
      let taken = Mutex(0)
      DispatchQueue.concurrentPerform(iterations: 4) { _ in
        // A run that is there at once, and stays.
        guard let lock = try? RunDirectory.begin(at: path) else { return }
        try? lock.directory.write(.builtIn)
        taken.withLock { $0 += 1 }
      }
      #expect(taken.withLock { $0 } == 1)
    }
  }

  @Test("a folder that is not there, or holds no run, is missing input") func noRun() throws {
    #expect(kind { _ = try RunDirectory.open("\(folder.path)/none") } == .missingInput)
    #expect(kind { _ = try RunDirectory.open(folder.path) } == .missingInput)
    try folder.write("", to: "file")
    #expect(message { _ = try RunDirectory.open("\(folder.path)/file") }.hasSuffix("it is a file"))
    #expect(kind { _ = try RunDirectory.open("") } == .missingInput)
    #expect(kind { _ = try RunDirectory.begin(at: "") } == .usage)
  }

  @Test("a place that cannot be written is an error of the disk") func unwritable() throws {
    try folder.write("", to: "file")
    #expect(kind { _ = try RunDirectory.begin(at: "\(folder.path)/file") } == .inputOutput)
    #expect(kind { _ = try RunDirectory.begin(at: "\(folder.path)/file/run") } == .inputOutput)
    #expect(kind { _ = try RunDirectory.begin(at: "/proc/run") } == .inputOutput)
  }

  @Test("one process writes into a run at a time") func locked() throws {
    let path = "\(folder.path)/run"
    let held = try RunDirectory.begin(at: path)
    let run = held.directory
    #expect(kind { _ = try run.lock(patience: 0) } == .usage)
    try run.write(.builtIn)
    #expect(
      message { _ = try RunDirectory.begin(at: path) }
        == "\(path): another process is training in this run; wait for it or stop it")
    withExtendedLifetime(held) {}
  }

  @Test("a lock ends with its holder") func unlocked() throws {
    let run = try RunDirectory.begin(at: "\(folder.path)/run").directory
    _ = try run.lock(patience: 0)
  }

  // MARK: metrics.jsonl

  func metrics(_ step: Int, _ split: Metrics.Split = .train) -> Metrics {
    Metrics(
      step: step, epoch: Double(step) / 4, split: split, loss: 6.5 / Double(step), accuracy: 0.25,
      learningRate: 1e-5,
      stepsPerSecond: split == .train ? 43.5 : nil)
  }

  @Test("a line of metrics has its keys in their order, and further ones after them") func keys() {
    var line = metrics(10)
    line.more["seconds"] = 1.5
    #expect(
      line.json.serialized() == """
        {"step": 10, "epoch": 2.5, "split": "train", "loss": 0.65, "accuracy": 0.25, "lr": 1e-05, "steps_per_s": 43.5, \
        "seconds": 1.5}
        """)
  }

  @Test("a resumed run has the lines of one never disturbed") func resumed() throws {
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

  @Test("a line is in the file as soon as it is written") func written() throws {
    let log = try MetricsLog(path: "\(folder.path)/m.jsonl")
    try log.append(metrics(1))
    #expect(folder.text("m.jsonl")?.hasSuffix("}\n") == true)
    #expect(throws: Failure.self) { try MetricsLog(path: "\(folder.path)/none/m.jsonl") }
  }
}
