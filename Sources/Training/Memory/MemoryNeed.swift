import Collectives
import DataParallel
import Diagnostics
import SpeakerNet

/// The memory that one rank of a training needs, by what it is for; from shapes alone, nothing is allocated.
struct MemoryNeed: Equatable, Sendable {
  /// Bytes by purpose, in the order in which they are told.
  let parts: [(purpose: String, bytes: Int)]

  /// Bytes in all.
  let bytes: Int

  static func == (left: Self, right: Self) -> Bool {
    left.parts.elementsEqual(right.parts) { $0.purpose == $1.purpose && $0.bytes == $1.bytes }
  }

  /// - Parameters:
  ///   - rank: whose need it is: rank 0 also copies the state, to save it.
  ///   - threads: of that rank.
  ///   - utterances: how many the corpus lists.
  ///   - isResuming: whether a checkpoint is read first.
  init(
    _ model: SpeakerModel, _ train: TrainConfiguration, batch: BatchShape, rank: Int, ranks: Int,
    threads: Int,
    utterances: Int, isResuming: Bool
  ) {
    let float = MemoryLayout<Float>.size
    let ownership = ShardOwnership(shards: batch.shards, ranks: ranks)
    let tree = ShardTree(shards: batch.shards)
    let shards = ownership.shards(of: rank)
    let slices = max(1, shards.count)
    let stored = float * (model.layout.count + model.layout.statisticsCount)
    let trained = float * model.layout.trainedCount
    let moments = 2 * trained
    let isOrdered = train.reduction == .ordered

    // Where BatchNorm lets slices wait for each other, all of them are under way at once.
    let underWay = model.layout.statisticsCount > 0 ? slices : min(slices, threads)
    // Besides those, sums wait for their neighbours in the tree: one on each level at most.
    let levels = Int.bitWidth - (slices - 1).leadingZeroBitCount
    let gradients = trained * min(slices, underWay + levels)

    let ownedMoments = isOrdered ? moments / ranks : moments
    let roots = (0..<ranks).map { tree.subtrees(of: ownership.shards(of: $0)).count }
    let received = trained / ranks * (roots.reduce(0, +) - roots[rank])
    let buckets = GradientBuckets(
      model.layout,
      ExchangeSettings(reduction: train.reduction, precision: train.exchange, overlaps: train.overlap)
    ).ranges
    let exchange =
      isOrdered
      ? received + float * (buckets.map(\.count).max() ?? 0) / ranks
        + (train.exchange == .bf16 ? received / 2 + trained / 2 : 0) : trained

    let activations =
      shards.isEmpty
      ? 0 : underWay * model.trainingBytes(samples: batch.samplesPerShard, frames: batch.frames)
    let validation = threads * model.evaluationBytes(frames: batch.frames)

    // A copy of all, tensors of it, and the larger file; and a copy for the best weights, which may be on their way.
    let saving = rank == 0 ? 3 * stored + 2 * moments + max(stored, moments) : 0
    let restoring = isResuming ? moments + (rank == 0 ? stored + 2 * moments : 0) : 0
    let index = utterances * Self.bytesOfUtterance

    parts = [
      ("parameters", stored), ("gradients", gradients), ("moments", ownedMoments), ("exchange", exchange),
      ("activations", activations), ("validation", validation), ("checkpoints", max(saving, restoring)),
      ("the data's index", index),
    ]
    bytes = parts.reduce(0) { $0 + $1.bytes }
  }

  /// What the index takes of an utterance: path, frames, label, places in the split and in the shards.
  private static let bytesOfUtterance = 400

  /// `1.2 GiB (parameters 12 MiB, …)`, what takes most first.
  var text: String {
    let large = parts.filter { $0.bytes * 100 >= bytes }.sorted { $0.bytes > $1.bytes }
    return
      "\(memoryText(bytes)) (\(large.map { "\($0.purpose) \(memoryText($0.bytes))" }.joined(separator: ", ")))"
  }

  /// A number of bytes that a training certainly takes, however absurd: its matrices alone, in numbers that do not
  /// overflow. Below what any machine has, everything may be counted exactly.
  static func least(_ configuration: Configuration) -> Double {
    let model = configuration.model, encoder = model.encoder, batch = configuration.batchShape
    let width = Double(model.dModel), layers = Double(encoder.layers)
    let frames = Double(batch.frames)
    let isShared = [.sharedTransformer, .convTransformer].contains(encoder.kind)
    let layer = 4 * width * width + 2 * width * Double(encoder.feedforward)
    let parameters = (isShared ? 1 : layers) * layer
    let samples = model.takesSamplesTogether ? Double(batch.samplesPerShard) : 1
    let activations =
      layers * samples * frames * (width + Double(encoder.feedforward) + Double(encoder.heads) * frames)
    // Every layer has names for its weights, shared or not.
    return 4 * (4 * parameters + activations + Double(batch.samplesPerShard) * frames * 40) + 1_000 * layers
      + 100 * Double(batch.shards)
  }
}

extension ModelConfiguration {
  /// Whether all samples of a slice are surely under way at once.
  fileprivate var takesSamplesTogether: Bool { head == .bnLinear || encoder.kind == .conformer }
}

extension Configuration {
  /// Refuses what no machine has before anything is counted in integers, or made.
  ///
  /// - Parameters:
  ///   - ranks: of the run.
  ///   - threads: of this rank.
  /// - Throws: `outOfMemory`.
  func checkMemory(ranks: Int, threads: Int) throws(Failure) {
    let available = AvailableMemory(threads: threadsToStart(ranks: ranks, threads: threads))
    if available.process == 0, let limit = OutOfMemory.addressSpaceLimit {
      throw Failure(
        .outOfMemory,
        "a limit of \(memoryText(limit)) (ulimit -v) does not leave the threads of a process room to start:"
          + " raise it, or use fewer threads, a smaller train.shards or more processes")
    }
    let most = min(available.host, available.process ?? Int.max), least = MemoryNeed.least(self)
    guard least > Double(most) else { return }
    let limit = most < available.host ? " under the limit of a process (ulimit -v)" : ""
    throw Failure(
      .outOfMemory,
      "a training of this model needs more than \(memoryText(Int(min(least, 0x1p62)))) in each process, but"
        + " \(memoryText(most)) are free\(limit): \(MemoryReport.advice)")
  }
}

extension Configuration {
  /// Threads that a rank is still to start, at most: a worker a slice, those that validate, read, save and watch.
  func threadsToStart(ranks: Int, threads: Int) -> Int {
    (train.shards + ranks - 1) / ranks + threads + 3
  }
}

/// What all ranks need, and what their hosts have.
struct MemoryReport: Sendable {
  private let needs: [MemoryNeed]
  private let hosts: [String]
  private let available: [AvailableMemory]

  /// Collective.
  init<C: Communicator>(
    _ communicator: C, threads: Int, toStart: Int, _ need: (_ rank: Int, _ threads: Int) -> MemoryNeed
  ) throws {
    hosts = try communicator.allGather(text: communicator.hostName)
    let threads = try communicator.allGather(threads)
    needs = threads.indices.map { need($0, threads[$0]) }
    let mine = AvailableMemory(threads: toStart)
    let free = try communicator.allGather(mine.host)
    let own = try communicator.allGather(mine.process ?? -1)
    available = free.indices.map { AvailableMemory(host: free[$0], process: own[$0] < 0 ? nil : own[$0]) }
  }

  /// Says what is needed and what there is, host by host.
  func show(on console: Console) {
    console.info("Memory of rank 0: \(needs[0].text)")
    for (host, ranks) in byHost {
      let sum = ranks.reduce(0) { $0 + needs[$1].bytes }
      console.info(
        "\(ranks.count) \(ranks.count == 1 ? "process" : "processes") on \(host): \(memoryText(sum)) of the"
          + " \(memoryText(free(ranks))) that are free there")
    }
    if let limit = available[0].process {
      console.info("The limit of address space leaves \(memoryText(limit)) to rank 0")
    }
  }

  /// - Throws: `outOfMemory`, the same on all ranks, when a host or a limit does not have what its ranks need.
  func check() throws {
    for (rank, need) in needs.enumerated() {
      guard let limit = available[rank].process, need.bytes > limit else { continue }
      throw Failure(
        .outOfMemory,
        "rank \(rank) on \(hosts[rank]) needs \(need.text), but its limit of memory (ulimit -v) leaves"
          + " \(memoryText(limit)): \(Self.advice)")
    }
    for (host, ranks) in byHost {
      let sum = ranks.reduce(0) { $0 + needs[$1].bytes }
      guard sum > free(ranks) else { continue }
      let largest = ranks.max { needs[$0].bytes < needs[$1].bytes } ?? 0
      let all = ranks.count == 1 ? "" : ", \(ranks.count) processes \(memoryText(sum))"
      throw Failure(
        .outOfMemory,
        "rank \(largest) on \(host) needs \(needs[largest].text)\(all), but \(memoryText(free(ranks))) are free there:"
          + " \(Self.advice)")
    }
  }

  static let advice =
    "use a smaller model, train.batch_size or train.segment_length, fewer threads, or more hosts"

  private var byHost: [(host: String, ranks: [Int])] {
    var order: [String] = []
    for host in hosts where !order.contains(host) { order.append(host) }
    return order.map { host in (host, hosts.indices.filter { hosts[$0] == host }) }
  }

  /// What the least of some ranks of a host found to be free.
  private func free(_ ranks: [Int]) -> Int { ranks.map { available[$0].host }.min() ?? 0 }
}
