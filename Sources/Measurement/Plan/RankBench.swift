import Collectives
import DataParallel
import SpeakerNet
import TensorCore
import Threads
import Training

/// Training steps of a rank with some of the batch's slices, exchange left out: as they follow each other in a run,
/// with the memory that a rank really goes through.
struct RankBench {
  let configuration: Configuration
  let model: SpeakerModel
  let shape: BatchShape

  /// What a rank of a prediction does, as far as its processor is concerned.
  struct Load: Hashable {
    /// Slices of the rank.
    let slices: Int
    /// Threads that carry them.
    let threads: Int
    /// Ranks that this machine's cores carry at the same time: they share caches, memory and the clock's budget.
    let copies: Int
  }

  /// Processor seconds of one step of one rank, for each load. They take turns, as the machine is not always as fast,
  /// three times at least; the median counts.
  ///
  /// Whoever else uses the machine takes time, but not this program's processor time; still they share the caches.
  func seconds(_ loads: Set<Load>, for duration: Double) throws -> [Load: Double] {
    let ranks = try Dictionary(uniqueKeysWithValues: loads.map { ($0, try Ranks(self, $0)) })
    // The first steps touch their memory for the first time.
    for _ in 0..<2 { for ranks in ranks.values { _ = try ranks.secondsOfStep() } }
    var rounds: [Load: Rounds] = [:]
    let deadline = monotonicNanoseconds() + UInt64(duration * 1e9)
    var count = 0
    repeat {
      for (load, ranks) in ranks { rounds[load, default: Rounds()].add(try ranks.secondsOfStep()) }
      count += 1
    } while count < 3 || monotonicNanoseconds() < deadline
    return rounds.mapValues(\.median)
  }
}

/// The ranks of a load, each a training alone on a thread of its own.
private final class Ranks: @unchecked Sendable {
  // Unchecked: each worker uses its own trainer and its own place among the ends.
  private let trainers: [Trainer<SoloGroup>]
  private let source: NoiseSlices
  private let team: ThreadTeam
  private let ends: UnsafeMutableBufferPointer<Result<Void, any Error>>

  init(_ bench: RankBench, _ load: RankBench.Load) throws {
    var configuration = bench.configuration
    configuration.train.shards = load.slices
    configuration.train.batchSize = load.slices * bench.shape.samplesPerShard
    configuration.train.reduction = .ordered
    let prepared = configuration
    trainers = try (0..<load.copies).map { _ in
      try Trainer(SoloGroup(), configuration: prepared, model: bench.model, threads: load.threads)
    }
    source = NoiseSlices(shape: bench.shape, speakers: bench.model.speakers, bands: bench.model.bands)
    team = ThreadTeam(workers: load.copies, seats: load.copies)
    ends = .allocate(capacity: load.copies)
    ends.initialize(repeating: .success(()))
  }

  deinit {
    ends.deinitialize()
    ends.deallocate()
  }

  /// One step of each, at the same time.
  func secondsOfStep() throws -> Double {
    let start = processNanoseconds()
    team.run { rank in ends[rank] = Result { _ = try trainers[rank].takeStep(from: source) } }
    for end in ends { try end.get() }
    return Double(processNanoseconds() - start) * 1e-9 / Double(trainers.count)
  }
}

/// Slices of noise: how long a step takes does not depend on what was said.
struct NoiseSlices: SliceSource {
  let shape: BatchShape
  let speakers: Int
  let bands: Int

  func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws {
    Self.fill(mels, count: shape.samplesPerShard * shape.frames * bands, step: step)
    for sample in 0..<shape.samplesPerShard { labels[sample] = Int32((sample + shard) % speakers) }
  }

  static func fill(_ mels: UnsafeMutablePointer<Float>, count: Int, step: Int) {
    for index in 0..<count { mels[index] = Float((index + step) % 29) * 0.1 - 1.4 }
  }
}
