import Foundation
import TensorFiles
import TestSupport
import Testing

/// Data that are no files, change under a run, or have names that a terminal must not get.
@Suite("Data that are not what they should be") struct DataMistakeTests {
  @Test("a shard that is cut short while it is trained on ends the run with a line", arguments: [nil, 2])
  func truncated(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let packed = "\(folder.path)/packed"
    #expect(
      try Program.run(["pack", "--data", SmallCorpus.path.get(), "--output", packed, "--shards", "4"]).status
        == 0)
    let run = try TrainingRun(steps: 1_000_000, data: packed, settings: ["train.shards=4"])
    let shard = "\(packed)/shard-00000-of-00004.mels"
    let outcome = try Program.run(run.arguments(), ranks: ranks) { process in
      while process.isRunning, run.metricsLines < 1 { usleep(20_000) }
      truncate(shard, 4096)
    }
    #expect(outcome.status == 74)
    #expect(outcome.errorLines.count == 1)
    #expect(outcome.errorLines.first?.hasPrefix("error: \(shard): was cut short") == true)
  }

  @Test("a file that is replaced while it is trained on ends the run with a line")
  func replaced() throws {
    let folder = TemporaryFolder()
    let data = "\(folder.path)/data"
    try FileManager.default.copyItem(atPath: SmallCorpus.path.get(), toPath: data)
    let run = try TrainingRun(steps: 1_000_000, data: data)
    let outcome = try Program.run(run.arguments(), ranks: 2) { process in
      while process.isRunning, run.metricsLines < 1 { usleep(20_000) }
      for name in (try? FileManager.default.contentsOfDirectory(atPath: data)) ?? []
      where name.hasSuffix(".pt") {
        try? FileManager.default.removeItem(atPath: "\(data)/\(name)")
      }
    }
    #expect(outcome.status == 74)
    #expect(outcome.errorLines.contains { $0.contains(".pt: is gone since it was verified") })
  }

  @Test("a pipe is refused as data or weights at once, and read as a configuration")
  func pipes() throws {
    let folder = TemporaryFolder()
    let data = "\(folder.path)/data", pipe = "\(folder.path)/pipe.safetensors"
    try #require(mkfifo(pipe, 0o600) == 0)
    try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: false)
    try #require(mkfifo("\(data)/metadata.json", 0o600) == 0)
    for arguments in [
      ["train", "--data", data, "--run", "\(folder.path)/run"],
      ["pack", "--data", data, "--output", "\(folder.path)/packed"],
      ["convert", pipe, "\(folder.path)/w.pt"],
    ] {
      let outcome = try Program.run(arguments)
      #expect(outcome.status == 65)
      #expect(outcome.errorLines.first?.contains("is a pipe, where a file is needed") == true)
    }
    let training = try SmallCorpus.training(run: "\(folder.path)/run") + ["--dry-run"]
    let command = ([Program.path] + training).joined(separator: " ")
    for input in ["--config <(echo 'train: {seed: 11}')", "--config /dev/stdin <<< 'train: {seed: 11}'"] {
      let wrong = try Program.run(
        ["-c", "\(command) \(input.replacing("seed", with: "sed"))"], program: "/bin/bash")
      #expect(wrong.errors.contains("train.sed"))
      #expect(try Program.run(["-c", "\(command) \(input)"], program: "/bin/bash").status == 0)
    }
  }

  @Test("a name with control characters does not reach the terminal as it is")
  func controlCharacters() throws {
    let folder = TemporaryFolder()
    let name = "\(folder.path)/\u{1B}[2J\nerror: \u{202E}faked.safetensors"
    let outcome = try Program.run(["convert", name, "\(folder.path)/w.pt"])
    #expect(outcome.status == 66)
    #expect(outcome.errors.count { $0 == "\n" } == 1)
    #expect(outcome.errors.contains(#"\u001b[2J\nerror: \u202efaked.safetensors: no such file"#))
  }

  @Test("two syntheses into one folder, and one with numbers that cannot be", arguments: [nil, 2])
  func syntheses(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let arguments = [
      "synthesize", "--output", "\(folder.path)/data", "--speakers", "3", "--utterances", "30",
    ]
    let first = Process()
    first.executableURL = URL(fileURLWithPath: Program.path)
    first.arguments = arguments
    first.standardOutput = FileHandle.nullDevice
    let second = try Program.run(arguments, ranks: ranks) { _ in try? first.run() }
    first.waitUntilExit()
    #expect(first.terminationStatus == 0)
    #expect(second.status == 0, "\(second.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["data"])

    for (numbers, words) in [
      (["--utterances", "99999999999999999"], "up to 10000000 can"),
      (["--utterances=-5"], "too few"), (["--utterances", "10000000"], "are free there"),
      (["--test-utterances=-1"], "0 or more"), (["--output", ""], "empty text"),
    ] {
      let outcome = try Program.run(
        ["synthesize", "--output", "\(folder.path)/other"] + numbers, ranks: ranks)
      #expect([64, 74].contains(outcome.status))
      #expect(outcome.errorLines.count == 1)
      #expect(outcome.errorLines.first?.contains(words) == true, "\(outcome.errors)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["data"])
  }
}
