import Collectives
import DataParallel
import SpeakerNet
import TensorCore
import Testing
import Training

/// Buckets of the gradient are under way before the step has come to its end. The bits are the same either way, so
/// only the order in which a rank starts its exchanges can tell.
@Suite("Overlap") struct OverlapTests {
  /// Ranks whose run of the 8 shards is one node of the tree, so that a bucket is one all-to-all.
  static let teams: [(ranks: Int, threads: Int)] = [(2, 1), (2, 2), (4, 1), (8, 1)]

  @Test(
    "the loss and every bucket are sent while the backward pass goes on", arguments: ExchangeTests.models,
    teams)
  func duringThePass(_ model: ModelConfiguration, _ team: (ranks: Int, threads: Int)) throws {
    for starts in try steps(model, team, bucketFloats: 300) {
      let sent = starts.indices.filter { starts[$0].kind == .allToAll }
      let gathered = starts.indices.filter { starts[$0].lane == .eager }
      #expect(sent.count >= 2)
      #expect(
        gathered.count == sent.count && gathered.allSatisfy { starts[$0].kind == .allGather }, "\(starts)")
      #expect(sent.allSatisfy { starts[$0].during == .computing }, "\(starts)")
      // A parameter changes only after its own bucket has gone, and after the loss has.
      let lossSum = try #require(
        starts.firstIndex { $0.kind == .allGather && $0.lane == .main && $0.during == .computing })
      #expect(lossSum < sent[0], "\(starts)")
      for (sent, gathered) in zip(sent, gathered) { #expect(sent < gathered, "\(starts)") }
      // BatchNorm's sums stand between the layers, the last one in the backward pass through the first of them.
      let batchNormSum = starts.lastIndex { $0.during == .batchNormSum }
      #expect((batchNormSum != nil) == (model.encoder.kind == .conformer))
      if let batchNormSum { #expect(sent[0] < batchNormSum, "\(starts)") }
    }
  }

  @Test("what has arrived is updated and gathered while the backward pass goes on", arguments: teams)
  func updates(_ team: (ranks: Int, threads: Int)) throws {
    // BatchNorm's sums make the ranks wait for each other: whatever was sent before one has arrived after it.
    let conformer = ExchangeTests.models[1]
    for starts in try steps(conformer, team, bucketFloats: 300) {
      let gathered = starts.indices.filter { starts[$0].lane == .eager }
      let lastSent = try #require(starts.lastIndex { $0.kind == .allToAll })
      #expect(gathered[0] < lastSent, "\(starts)")
      #expect(starts[gathered[0]].during == .computing, "\(starts)")
    }
  }

  @Test("without overlap the gradient goes out in one piece, after the loss", arguments: ExchangeTests.models)
  func control(_ model: ModelConfiguration) throws {
    for starts in try steps(model, (2, 1), bucketFloats: 300, overlap: false) {
      let sent = starts.indices.filter { starts[$0].kind == .allToAll }
      let lossSum = try #require(starts.firstIndex { $0.during == .lossSum })
      #expect(sent.count == 1 && sent[0] > lossSum, "\(starts)")
      #expect(starts.filter { $0.lane == .eager }.count == 1 && starts.last?.lane == .eager, "\(starts)")
    }
  }
}

/// What each rank started in each of three steps.
private func steps(
  _ model: ModelConfiguration, _ team: (ranks: Int, threads: Int), bucketFloats: Int, overlap: Bool = true
) throws -> [[RecordingGroup.Start]] {
  KernelSet.start()
  var configuration = Configuration()
  configuration.model = model
  configuration.train.shards = 8
  configuration.train.batchSize = 16
  configuration.train.segmentLength = 7
  configuration.train.overlap = overlap
  let network = try SpeakerModel(model, speakers: 5)
  let prepared = configuration
  return try ThreadGroup.run(size: team.ranks) { group in
    let recorder = RecordingGroup(group)
    let trainer = try Trainer(
      recorder, configuration: prepared, model: network, threads: team.threads, bucketFloats: bucketFloats)
    return try (0..<3).map { _ in
      _ = recorder.takeStarts()
      _ = try trainer.takeStep(from: MadeUpSlices())
      return recorder.takeStarts()
    }
  }.flatMap { $0 }
}
