import Foundation
import TestSupport
import Testing

/// What a training needs is known before it begins, and what cannot be had is one line and 71.
@Suite("Memory", .serialized) struct MemoryTests {
  let folder = TemporaryFolder()
  var run: String { "\(folder.path)/run" }

  func arguments(_ settings: [String]) throws -> [String] {
    ["train", "--data", try SmallCorpus.path.get(), "--run", run] + settings.flatMap { ["--set", $0] }
  }

  @Test("a model that no host holds is refused before anything is made", arguments: [true, false])
  func absurd(isDry: Bool) throws {
    let huge = [
      "model.d_model=8192", "model.encoder.layers=256", "model.encoder.feedforward=65536",
      "train.batch_size=65536", "train.segment_length=65536",
    ]
    let outcome = try Program.run(arguments(huge) + (isDry ? ["--dry-run"] : []))
    #expect(outcome.status == 71, "\(outcome.errors)")
    #expect(outcome.errorLines.count == 1 && outcome.errorLines[0].contains("are free"), "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: run))
  }

  @Test("so is one whose activations alone are too many, on every rank alike") func activations() throws {
    let outcome = try Program.run(
      arguments(["train.segment_length=65536", "train.batch_size=512", "model.encoder.kind=conformer"]),
      ranks: 2)
    #expect(outcome.status == 71, "\(outcome.errors)")
    #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: run))
  }

  /// - Parameter limit: KiB of address space.
  private func limited(_ limit: Int, _ settings: [String]) throws -> Program.Outcome {
    let script = "\(folder.path)/limited"
    try "#!/bin/sh\nulimit -v \(limit)\nexec \"\(Program.path)\" \"$@\"\n".write(
      toFile: script, atomically: true, encoding: .utf8)
    chmod(script, 0o755)
    return try Program.run(arguments(settings), program: script)
  }

  static let short = [
    "train.total_steps=4", "train.valid_steps=2", "train.save_steps=2", "train.segment_length=16",
  ]

  @Test(
    "under a limit of address space a run goes through or is refused in a line, and never crashes or hangs")
  func limits() throws {
    for limit in [500_000, 1_000_000] {
      let outcome = try limited(limit, Self.short)
      #expect(outcome.status == 71 || outcome.status == 0, "\(limit): \(outcome.errors)")
      if outcome.status == 71 {
        #expect(
          outcome.errors.split(separator: "\n").count { !$0.hasPrefix("warning: ") } == 1, "\(outcome.errors)"
        )
        #expect(!FileManager.default.fileExists(atPath: run))
      }
      try? FileManager.default.removeItem(atPath: run)
    }
    let enough = try limited(3_000_000, Self.short)
    #expect(enough.status == 0, "\(enough.errors)")
    try FileManager.default.removeItem(atPath: run)
    let large = try limited(3_000_000, ["model.d_model=4096", "model.encoder.layers=4"])
    #expect(large.status == 71, "\(large.errors)")
    #expect(large.errorLines.first?.contains("ulimit -v") == true, "\(large.errors)")
  }

  @Test("a dry run's figure is what a run then takes") func measured() throws {
    let settings = [
      "train.total_steps=3", "train.valid_steps=3", "train.warmup_steps=1", "train.segment_length=1024",
      "train.batch_size=16", "model.encoder.kind=conformer", "model.encoder.heads=4",
    ]
    let dry = try Program.run(arguments(settings) + ["--dry-run", "--threads", "2"])
    let told = try #require(
      dry.output.firstMatch(of: #/Memory of rank 0: ([0-9.]+) (MiB|GiB)/#), "\(dry.output)")
    let needed = try #require(Double(told.1)) * (told.2 == "GiB" ? 1024 : 1)
    let launch = try Launch(arguments(settings) + ["--threads", "2"])
    var idle = 0.0, peak = 0.0
    _ = launch.wait {
      for rank in launch.ranks {
        guard let status = try? String(contentsOfFile: "/proc/\(rank)/status", encoding: .utf8),
          let high = status.firstMatch(of: #/VmHWM:\s+(\d+) kB/#).flatMap({ Double($0.1) })
        else { continue }
        peak = max(peak, high / 1024)
        if !launch.output.contains("Finish creating model!") { idle = peak }
      }
      return launch.status(within: 0) != nil
    }
    #expect(launch.status() == 0)
    #expect((0.8...1.25).contains(needed / (peak - idle)), "told \(needed) MiB, took \(peak - idle)")
  }
}
