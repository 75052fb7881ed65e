import Collectives
import DataParallel
import Diagnostics
import SpeakerNet
import TensorCore
import TestSupport
import Testing
import Training

/// Ranks that no longer hold the same network, or the same loss, and how they are named.
@Suite struct ParameterChecksumTests {
  // MARK: The checksum

  @Test("any changed bit changes the checksum") func anyBit() {
    var random = SeededGenerator(seed: 21)
    for count in Array(0...70) + [127, 128, 129, 1_000] {
      var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      let sum = bytes.withUnsafeBytes { ParameterChecksum.of($0) }
      #expect(bytes.withUnsafeBytes { ParameterChecksum.of($0) } == sum)
      for bit in 0..<8 * count {
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        #expect(bytes.withUnsafeBytes { ParameterChecksum.of($0) } != sum)
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      }
    }
  }

  /// Signs are the highest bits of words, where FNV alone lets two changes cancel.
  @Test("two changed signs do not cancel each other") func twoSigns() {
    var values = (0..<256).map(Float.init)
    let sum = values.withUnsafeBytes { ParameterChecksum.of($0) }
    for first in stride(from: 1, to: 256, by: 2) {
      for second in stride(from: first + 2, to: 256, by: 2) {
        values[first].negate()
        values[second].negate()
        #expect(values.withUnsafeBytes { ParameterChecksum.of($0) } != sum)
        values[first].negate()
        values[second].negate()
      }
    }
  }

  @Test("the number of zeros counts, and where a value stands among them") func zeros() {
    let sums = (0..<200).map { count in
      [UInt8](repeating: 0, count: count).withUnsafeBytes { ParameterChecksum.of($0) }
    }
    #expect(Set(sums).count == sums.count)
    let shifted = (0..<32).map { place -> UInt64 in
      var values = [UInt64](repeating: 0, count: 32)
      values[place] = 1
      return values.withUnsafeBytes { ParameterChecksum.of($0) }
    }
    #expect(Set(shifted).count == shifted.count)
  }

  @Test("the majority is right, and of two equal parts the one with rank 0") func majority() {
    #expect(ParameterChecksum.dissenters([5]) == [])
    #expect(ParameterChecksum.dissenters([5, 5, 5]) == [])
    #expect(ParameterChecksum.dissenters([5, 6, 6]) == [0])
    #expect(ParameterChecksum.dissenters([6, 6, 5, 6, 7]) == [2, 4])
    #expect(ParameterChecksum.dissenters([5, 6]) == [1])
    #expect(ParameterChecksum.dissenters([5, 6, 6, 5]) == [1, 2])
    #expect(ParameterChecksum.dissenters([5, 6, 7]) == [1, 2])
  }

  // MARK: In a training

  static var configuration: Configuration {
    var configuration = Configuration()
    configuration.model.dModel = 8
    configuration.model.encoder.feedforward = 12
    configuration.train.shards = 4
    configuration.train.batchSize = 8
    configuration.train.segmentLength = 7
    configuration.train.totalSteps = 10
    return configuration
  }

  /// Trains two steps on three ranks, lets `damage` change something, and compares.
  func compare(damage: @escaping @Sendable (Int, ModelState) -> Void) throws {
    KernelSet.start()
    _ = try ThreadGroup.run(size: 3) { group in
      let trainer = try Trainer(
        group, configuration: Self.configuration,
        model: try SpeakerModel(Self.configuration.model, speakers: 5), threads: 1)
      for _ in 0..<2 { _ = try trainer.takeStep(from: MadeUp()) }
      try ParameterChecksum.compare(trainer.state, step: trainer.step, group)
      damage(group.rank, trainer.state)
      try ParameterChecksum.compare(trainer.state, step: trainer.step, group)
    }
  }

  @Test("ranks that train together stay the same") func same() throws { try compare { _, _ in } }

  @Test("a rank that differs by one bit is named on all ranks", arguments: 0..<3) func odd(_ odd: Int) throws
  {
    let failure = try #require(throws: Failure.self) {
      // The lowest bit of one parameter.
      try compare { rank, state in
        if rank == odd { state.parameters[17] = state.parameters[17].nextUp }
      }
    }
    #expect(failure.kind == .rankLost)
    #expect(
      failure.message.hasPrefix(
        "step 2: the parameters of rank \(odd) on \(SoloGroup().hostName) differ from the others'"))
  }

  @Test("a loss that is not a number on one rank is named on all, and no parameter changes", arguments: 0..<3)
  func notANumber(_ rank: Int) throws {
    KernelSet.start()
    // 4 shards on 3 ranks; the first shard of each rank.
    let run = ShardOwnership(shards: 4, ranks: 3).shards(of: rank)
    let found = try #require(throws: NonFiniteLoss.self) {
      _ = try ThreadGroup.run(size: 3) { group in
        let trainer = try Trainer(
          group, configuration: Self.configuration,
          model: try SpeakerModel(Self.configuration.model, speakers: 5), threads: 1)
        _ = try trainer.takeStep(from: MadeUp())
        let before = trainer.parameters
        do {
          _ = try trainer.takeStep(from: MadeUp(poisonedShard: run.lowerBound))
        } catch {
          // Told before anything was changed.
          #expect(trainer.parameters == before && trainer.step == 1)
          throw error
        }
      }
    }
    #expect(
      "\(found)"
        == "step 2: the loss is not a finite number, found by rank \(rank) on \(SoloGroup().hostName)"
        + " (shard \(run.lowerBound))")
  }
}

extension Trainer {
  fileprivate var parameters: [Float] {
    Array(UnsafeBufferPointer(start: state.parameters, count: state.layout.count))
  }
}

/// Slices of numbers that depend on their place and the step; with a NaN in one shard's.
private struct MadeUp: SliceSource {
  var poisonedShard = -1

  func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws {
    let stream = RandomStream(seed: 11, purpose: .synthesis, step: step, shard: shard)
    for index in 0..<2 * 7 * SpeakerModel.homeworkBands {
      mels[index] = 4 * Float(stream.uniform(at: index)) - 2
    }
    for sample in 0..<2 { labels[sample] = Int32((shard + step + sample) % 5) }
    if shard == poisonedShard { mels[0] = .nan }
  }
}
