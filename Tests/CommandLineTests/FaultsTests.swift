import Foundation
import TensorFiles
import TestSupport
import Testing

/// Bad input on every number of ranks: one clear line, the right status, nothing half written, never a hang.
@Suite("Bad input") struct FaultsTests {
  /// Alone, and under mpirun.
  static let groups: [Int?] = [nil, 2, 3, 4]

  /// A copy of the corpus to be spoiled.
  final class SpoiledCorpus {
    let folder = TemporaryFolder()
    var path: String { "\(folder.path)/data" }

    init() throws {
      try FileManager.default.copyItem(atPath: try SmallCorpus.path.get(), toPath: path)
    }

    /// The feature files of the training data, in the order of metadata.json.
    func features() throws -> [String] {
      let metadata = try JSON.read(path: "\(path)/metadata.json")
      return (metadata["speakers"]?.object?.values ?? []).flatMap { $0.array ?? [] }
        .compactMap { $0["feature_path"]?.string }.map { "\(path)/\($0)" }
    }
  }

  /// Trains and expects one line with `words`, the status, and no trace but what a run begins with.
  private func expectFailure(
    _ status: Int32, _ words: [String], data: String? = nil, ranks: Int?,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let run = try TrainingRun(steps: 40, data: data)
    let launch = try Launch(run.arguments(), ranks: ranks)
    let ended = launch.status()
    #expect(ended == status, "\(launch.errorLines)", sourceLocation: sourceLocation)
    #expect(launch.errorLines.count == 1, "\(launch.errorLines)", sourceLocation: sourceLocation)
    for word in words {
      #expect(
        launch.errorLines.first?.contains(word) == true, "\(launch.errorLines)",
        sourceLocation: sourceLocation)
    }
    #expect(Processes.none(mention: run.path), sourceLocation: sourceLocation)
    let unfinished = run.files.filter {
      $0.contains(".tmp-") || $0.hasPrefix("checkpoints/") || $0.hasPrefix("best/")
    }
    #expect(unfinished == [], sourceLocation: sourceLocation)
  }

  @Test("a feature file that is cut short", arguments: groups) func truncated(ranks: Int?) throws {
    let corpus = try SpoiledCorpus()
    let file = try corpus.features()[30]
    let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
    try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: file))
    try expectFailure(65, [(file as NSString).lastPathComponent], data: corpus.path, ranks: ranks)
  }

  @Test("an entry of metadata.json without its file", arguments: groups) func missing(ranks: Int?) throws {
    let corpus = try SpoiledCorpus()
    let file = try corpus.features()[7]
    try FileManager.default.removeItem(atPath: file)
    try expectFailure(66, [(file as NSString).lastPathComponent], data: corpus.path, ranks: ranks)
  }

  @Test("a frame that is not a number", arguments: groups) func notANumber(ranks: Int?) throws {
    let corpus = try SpoiledCorpus()
    let file = try corpus.features()[47]
    let features = try TorchFile.readTensor(path: file)
    var values = try features.float32Values()
    values[values.count - 5] = .nan
    try TorchFile.writeTensor(Tensor(float32: values, shape: features.shape), to: file)
    try expectFailure(
      65, [(file as NSString).lastPathComponent, "frame \(features.shape[0] - 1)"], data: corpus.path,
      ranks: ranks)
  }

  @Test("a speaker without a number in mapping.json", arguments: groups) func unmapped(ranks: Int?) throws {
    let corpus = try SpoiledCorpus()
    let file = "\(corpus.path)/mapping.json"
    var mapping = try #require(try JSON.read(path: file).object)
    var numbers = try #require(mapping["speaker2id"]?.object)
    let speaker = try #require(numbers.keys.last)
    numbers[speaker] = nil
    mapping["speaker2id"] = .object(numbers)
    mapping["id2speaker"] = .object(JSONObject(numbers.map { (String($0.value.int ?? -1), .string($0.key)) }))
    try JSON.object(mapping).serialized().write(toFile: file, atomically: false, encoding: .utf8)
    try expectFailure(65, [speaker, "mapping.json"], data: corpus.path, ranks: ranks)
  }

  @Test("a run directory that cannot be written", arguments: groups) func unwritable(ranks: Int?) throws {
    // A file in the place of a folder stops root too.
    let folder = TemporaryFolder()
    let file = try folder.write("not a folder", to: "file")
    let launch = try Launch(
      ["train", "--data", try SmallCorpus.path.get(), "--run", "\(file)/run"], ranks: ranks)
    #expect(launch.status() == 74)
    #expect(launch.errorLines.count == 1)
    #expect(launch.errorLines.first?.contains("\(file)/run") == true, "\(launch.errorLines)")
  }

  // Alone: under mpirun the limit would also meet Open MPI's own files. scripts/test-cluster fills a real disk.
  @Test("a disk that is full when a checkpoint is written", arguments: [Int?.none]) func full(ranks: Int?)
    throws
  {
    // Files may grow to 16 KiB, in a process that does not die of it: small files fit, a checkpoint does not.
    let run = try TrainingRun(steps: 40)
    let launch = try Launch(run.arguments(), ranks: ranks, after: "trap '' XFSZ; ulimit -f 16")
    #expect(launch.status() == 74, "\(launch.errorLines)")
    #expect(launch.errorLines.count == 1, "\(launch.errorLines)")
    #expect(launch.errorLines.first?.contains(".safetensors") == true, "\(launch.errorLines)")
    #expect(Processes.none(mention: run.path))
    #expect(run.checkpoints == [])
    #expect(!run.files.contains { $0.contains(".tmp-") || $0.hasSuffix(".safetensors") }, "\(run.files)")

    // With room again the run goes on from its beginning.
    let again = try Launch(run.arguments(resume: true), ranks: ranks)
    #expect(again.status() == 0, "\(again.errorLines)")
    #expect(run.checkpoints.last == 40)
  }
}
