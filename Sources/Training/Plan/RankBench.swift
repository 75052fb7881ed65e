import Collectives
import Glibc
import SpeakerNet
import TensorCore
import Threads

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

  /// Processor seconds of one step of one rank.
  ///
  /// Whoever else uses the machine takes time, but not this program's processor time; still they share the caches.
  func seconds(_ load: Load, for duration: Double) throws -> Double {
    let trainers = try (0..<load.copies).map { _ in try trainer(load) }
    let source = NoiseSlices(shape: shape)
    // The first steps touch their memory for the first time.
    for trainer in trainers { for _ in 0..<2 { _ = try trainer.value.takeStep(from: source) } }
    let team = ThreadTeam(workers: load.copies, seats: load.copies)
    let ends = Ends(count: load.copies)
    let start = processNanoseconds()
    let deadline = monotonicNanoseconds() + UInt64(duration * 1e9)
    team.run { copy in
      var steps = 0
      ends.record(
        copy,
        Result {
          repeat {
            _ = try trainers[copy].value.takeStep(from: source)
            steps += 1
          } while monotonicNanoseconds() < deadline
          return steps
        })
    }
    let used = Double(processNanoseconds() - start) * 1e-9
    return used / Double(try ends.total())
  }

  private func trainer(_ load: Load) throws -> Rank {
    var configuration = configuration
    configuration.train.shards = load.slices
    configuration.train.batchSize = load.slices * shape.samplesPerShard
    configuration.train.reduction = .ordered
    return Rank(
      value: try Trainer(SoloGroup(), configuration: configuration, model: model, threads: load.threads))
  }

  /// One thread at a time uses it.
  private struct Rank: @unchecked Sendable { let value: Trainer<SoloGroup> }

  /// What each copy has done.
  private final class Ends: @unchecked Sendable {
    // Unchecked: changes under the monitor.
    private let monitor = Monitor()
    private var ends: [Result<Int, any Error>]

    init(count: Int) { ends = Array(repeating: .success(0), count: count) }

    func record(_ copy: Int, _ end: Result<Int, any Error>) { monitor.withLock { ends[copy] = end } }

    func total() throws -> Int { try monitor.withLock { try ends.reduce(0) { try $0 + $1.get() } } }
  }
}

/// Slices of noise: how long a step takes does not depend on what was said.
private struct NoiseSlices: SliceSource {
  let shape: BatchShape

  func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws {
    for index in 0..<shape.samplesPerShard * shape.frames * SpeakerModel.melBands {
      mels[index] = Float((index + step) % 29) * 0.1 - 1.4
    }
    for sample in 0..<shape.samplesPerShard { labels[sample] = Int32((sample + shard) % 2) }
  }
}

/// Processor time of all threads of this process.
private func processNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
