import Foundation
import TensorFiles
import TestSupport
import Testing

/// Mistakes that are noticed before anything is written, or that lose nothing when they are made.
@Suite("Mistakes at the start") struct StartMistakeTests {
  @Test("weights that are not there leave no run behind", arguments: [nil, 2])
  func missingWeights(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let arguments = try SmallCorpus.training(run: "\(folder.path)/run")
    let missing = arguments + ["--weights", "\(folder.path)/none.safetensors"]
    #expect(try Program.run(missing + ["--dry-run"], ranks: ranks).status == 66)
    let outcome = try Program.run(missing, ranks: ranks)
    #expect(outcome.status == 66)
    #expect(outcome.errorLines.count == 1)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/run"))
    #expect(try Program.run(arguments, ranks: ranks).status == 0)
  }

  @Test("weights are taken by a resumed run without a checkpoint, and passed over by one that has some")
  func weightsOfAResumedRun() throws {
    let folder = TemporaryFolder()
    let first = try SmallCorpus.training(run: "\(folder.path)/first")
    #expect(try Program.run(first).status == 0)
    let weights = "\(folder.path)/first/best/model.safetensors"
    let direct = try SmallCorpus.training(run: "\(folder.path)/direct") + ["--weights", weights]
    #expect(try Program.run(direct).status == 0)
    let resumed = try SmallCorpus.training(run: "\(folder.path)/resumed") + ["--weights", weights]
    #expect(try Program.run(resumed).status == 0)
    // As after a crash while the data was read: a configuration, and nothing else.
    try FileManager.default.removeItem(atPath: "\(folder.path)/resumed/checkpoints")
    try FileManager.default.removeItem(atPath: "\(folder.path)/resumed/best")
    #expect(try Program.run(resumed + ["--resume"]).status == 0)
    let files = ["direct", "resumed"].map {
      "\(folder.path)/\($0)/checkpoints/step-00000020/model.safetensors"
    }
    #expect(FileManager.default.contentsEqual(atPath: files[0], andPath: files[1]))
    let again = try Program.run(resumed + ["--resume"])
    #expect(again.status == 0)
    #expect(again.output.contains("is passed over"))
    #expect(FileManager.default.contentsEqual(atPath: files[0], andPath: files[1]))
  }

  @Test("a shard without training utterances leaves no run behind", arguments: [nil, 2])
  func tooManyShards(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let many = ["--set", "train.shards=48", "--set", "train.batch_size=48"]
    let outcome = try Program.run(try SmallCorpus.training(run: "\(folder.path)/run") + many, ranks: ranks)
    #expect(outcome.status == 64)
    #expect(outcome.errorLines.first?.contains("lower train.shards") == true)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/run"))
  }

  @Test("a run is not resumed on other data, and not harmed by the attempt", arguments: [nil, 3])
  func otherData(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    let arguments = try SmallCorpus.training(run: run)
    #expect(try Program.run(arguments, ranks: ranks).status == 0)
    let before = try Data(contentsOf: URL(fileURLWithPath: "\(run)/metrics.jsonl"))
    let other = try Program.run(
      [
        "train", "--resume", "--run", run, "--data", SmallCorpus.other.get(), "--set", "train.total_steps=30",
      ],
      ranks: ranks)
    #expect(other.status == 64)
    #expect(other.errorLines.first?.contains("trained on other speakers or utterances") == true)
    #expect(try Data(contentsOf: URL(fileURLWithPath: "\(run)/metrics.jsonl")) == before)
    // The same data, packed, is the same data.
    let packed = "\(folder.path)/packed"
    #expect(try Program.run(["pack", "--data", SmallCorpus.path.get(), "--output", packed]).status == 0)
    let same = try Program.run(
      ["train", "--resume", "--run", run, "--data", packed, "--set", "train.total_steps=30"], ranks: ranks)
    #expect(same.status == 0, "\(same.errors)")
  }

  @Test("ranks that find different data say so") func staleCopy() throws {
    let folder = TemporaryFolder()
    // Each rank goes to a folder of its own, where "data" is another corpus.
    for (rank, data) in [(0, try SmallCorpus.path.get()), (1, try SmallCorpus.other.get())] {
      try FileManager.default.createDirectory(
        atPath: "\(folder.path)/\(rank)", withIntermediateDirectories: false)
      try FileManager.default.createSymbolicLink(
        atPath: "\(folder.path)/\(rank)/data", withDestinationPath: data)
    }
    let script = try folder.write(
      "cd \(folder.path)/$OMPI_COMM_WORLD_RANK && exec \(Program.path) \"$@\"\n", to: "rank.sh")
    var training = try SmallCorpus.training(run: "\(folder.path)/run")
    training[training.firstIndex(of: "--data")! + 1] = "data"
    let outcome = try Program.run([script] + training, ranks: 2, program: "/bin/bash")
    #expect(outcome.status == 65)
    #expect(outcome.errorLines.count == 1)
    #expect(outcome.errorLines.first?.contains("rank 1 on ") == true)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/run"))
  }

  @Test("a dry run finds what the run would refuse") func dryRun() throws {
    let folder = TemporaryFolder()
    try folder.write("train: {seed: 1}\n", to: "config.yaml")
    let outcome = try Program.run(try SmallCorpus.training(run: folder.path) + ["--dry-run"])
    #expect(outcome.status == 64)
    #expect(outcome.errorLines.first?.contains("a run is there already") == true)
  }

  @Test("a figure that nobody reads is an error, not the end by a signal") func brokenPipe() throws {
    let outcome = try Program.run(
      ["-c", "(sleep 0.3; \(Program.path) recipes; echo $? >&2) | true"], program: "/bin/bash")
    #expect(outcome.errors.hasSuffix("74\n"))
  }

  @Test("what is not a file is written to as it is") func devices() throws {
    let folder = TemporaryFolder()
    let weights = "\(folder.path)/w.safetensors", device = "\(folder.path)/null.safetensors"
    try Safetensors.write(NamedTensors([("a", Tensor(float32: [1], shape: [1]))]), to: weights)
    try FileManager.default.createSymbolicLink(atPath: device, withDestinationPath: "/dev/null")
    #expect(try Program.run(["convert", weights, device]).status == 0)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: device) == "/dev/null")
  }
}
