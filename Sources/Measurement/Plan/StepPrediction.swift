import Collectives
import DataParallel

/// What a step takes on some number of ranks, from a profile of one slice and a model of the links.
///
/// The timeline of one rank, which is that of all: the slices in waves of as many as it has threads; in the last wave
/// the loss becomes known and is agreed on, and buckets become final one after another; each goes out over the link,
/// is summed and updated when it has arrived, and gathered. The link carries one thing at a time, whichever is ready
/// first. A rank keeps its slice's size: beyond `shards` ranks the batch grows with them.
package struct StepPrediction: Sendable {
  package let ranks: Int
  /// Slices of the batch, and samples.
  package let shards: Int, batchSize: Int
  /// Seconds of the pass of one slice.
  package let passSeconds: Double
  /// Seconds of a step; of it in passes; and in which a rank has nothing to do but wait for the link.
  package let stepSeconds: Double, computeSeconds: Double, waitSeconds: Double
  /// Seconds that the bytes alone need.
  package let wireSeconds: Double
  /// Bytes that a rank sends in a step.
  package let sentBytes: Double
  /// Bytes of a rank for the state, the exchange and the activations; the program and the data not counted.
  package let memoryBytes: Double

  /// Samples a second.
  package var samplesPerSecond: Double { Double(batchSize) / stepSeconds }

  /// - Parameter passSeconds: of a slice in a rank's own step; `nil` for the profile's.
  package init(
    _ profile: StepProfile, passSeconds: Double? = nil, link: LinkModel, ranks: Int, threads: Int,
    shape: BatchShape, overlap: Bool, gradientBytes: Double = 4, sharedCores: Int? = nil
  ) {
    let shards = max(shape.shards, ranks)
    let nodes = NodeCount(shards: shards, ranks: ranks)
    let waves = (nodes.localShards + threads - 1) / threads
    let busy = min(threads, nodes.localShards)
    // Ranks that share cores, as in a trial on one machine, share their time.
    let stretch = sharedCores.map { max(1, Double(ranks * busy) / Double($0)) } ?? 1
    let link = link.shared(by: sharedCores.map { max(1, Double(ranks) / Double($0)) } ?? 1)
    let slicePass = passSeconds ?? profile.passSeconds
    let pass = slicePass * stretch
    // Other moments of the pass keep their place in it.
    let scale = pass / profile.passSeconds
    let trained = Double(profile.trained)
    let share = 1 / Double(ranks)

    // Slices wait for each other in BatchNorm's sums; a gradient's local additions are made on the way.
    let sums = profile.batchSums.reduce(0) {
      $0 + link.exchange(ranks: ranks, bytes: Double($1 * 4 * (nodes.all - nodes.leastOwn)))
    }
    let additions = Double(nodes.localShards - nodes.own) * trained * profile.additionSeconds * stretch
    let compute = Double(waves) * pass + additions / Double(busy)
    let passEnd = compute + sums

    // Volume for an element of the gradient: a rank sends its roots' parts, and receives all others' of its slice.
    let crossing = max(Double(nodes.own) * (1 - share), Double(nodes.all - nodes.leastOwn) * share)
    let gathering = 1 - share
    let buckets = overlap ? profile.buckets : [profile.trained]
    let works = buckets.map { bucket in
      Double(bucket) * share
        * (Double(nodes.all - 1) * profile.additionSeconds + profile.optimizerSeconds) * stretch
    }
    var timeline = Timeline(passEnd: passEnd)
    let agreement = link.exchange(ranks: ranks, bytes: Double(16 * nodes.all))
    let passStart = passEnd - pass
    let lossKnown = timeline.carry(
      readyAt: overlap ? passStart + profile.lossSeconds * scale : passEnd, for: agreement)
    for (index, bucket) in buckets.enumerated() {
      let ready = overlap ? passStart + profile.bucketSeconds[index] * scale + timeline.delay : lossKnown
      timeline.carryGathers(readyBy: ready)
      let arrival = timeline.carry(
        readyAt: ready,
        for: link.exchange(
          ranks: ranks, bytes: Double(bucket) * gradientBytes * crossing, messagesPerPeer: nodes.own))
      timeline.update(
        from: max(arrival, lossKnown), for: works[index],
        // The first layers' parameters are read until the pass ends.
        isAfterPass: !overlap || index == buckets.count - 1,
        gather: link.exchange(ranks: ranks, bytes: Double(bucket * 4) * gathering))
    }
    timeline.carryGathers(readyBy: .infinity)
    self.ranks = ranks
    self.shards = shards
    batchSize = shards * shape.samplesPerShard
    self.passSeconds = slicePass
    stepSeconds = max(timeline.linkFree, timeline.processorFree)
    computeSeconds = compute + works.reduce(0, +)
    waitSeconds = max(0, stepSeconds - computeSeconds)
    wireSeconds = ranks == 1 ? 0 : trained * (gradientBytes * crossing + 4 * gathering) / link.bandwidth
    sentBytes = ranks == 1 ? 0 : trained * (gradientBytes * Double(nodes.own) * (1 - share) + 4 * gathering)
    memoryBytes = Self.memory(profile, nodes, ranks: ranks, threads: busy)
  }

  /// Parameters and statistics; gradients of the slices under way and of sums that wait for their neighbour; what
  /// other ranks send; the moments and the sum of this rank's slice; activations of the slices under way.
  private static func memory(
    _ profile: StepProfile, _ nodes: NodeCount, ranks: Int, threads: Int
  ) -> Double {
    let levels = Int.bitWidth - nodes.localShards.leadingZeroBitCount - 1
    let underWay = profile.batchSums.isEmpty ? threads : nodes.localShards
    let gradients = min(nodes.localShards, underWay + levels)
    let slice = Double(profile.trained) / Double(ranks)
    let floats =
      Double(profile.parameters + profile.statistics + gradients * profile.trained)
      + slice * Double(nodes.all - nodes.leastOwn + 3)
    return floats * 4 + Double(underWay * profile.activationBytes)
  }
}

/// The end of a step: a link that carries one thing after another, and a processor that updates between its products.
private struct Timeline {
  private(set) var linkFree = 0.0
  /// When the pass and all updates so far are done.
  private(set) var processorFree: Double
  /// How much later than without updates the pass is.
  private(set) var delay = 0.0
  private var gathers: [(ready: Double, seconds: Double)] = []

  init(passEnd: Double) { processorFree = passEnd }

  /// - Returns: when it has arrived.
  @discardableResult
  mutating func carry(readyAt ready: Double, for seconds: Double) -> Double {
    linkFree = max(linkFree, ready) + seconds
    return linkFree
  }

  /// Updates a bucket that has arrived, in the middle of the pass if that goes on.
  mutating func update(from start: Double, for seconds: Double, isAfterPass: Bool, gather: Double) {
    if start < processorFree && !isAfterPass {
      delay += seconds
      processorFree += seconds
      gathers.append((ready: start + seconds, seconds: gather))
    } else {
      processorFree = max(processorFree, start) + seconds
      gathers.append((ready: processorFree, seconds: gather))
    }
  }

  /// Carries the gathers that are ready by then.
  mutating func carryGathers(readyBy time: Double) {
    while let first = gathers.first, first.ready <= time {
      carry(readyAt: first.ready, for: first.seconds)
      gathers.removeFirst()
    }
  }
}

/// How the tree over the shards falls on the ranks.
private struct NodeCount {
  /// The most shards of a rank.
  let localShards: Int
  /// Nodes that all ranks send, and the most and the least of one rank.
  let all: Int, own: Int, leastOwn: Int

  init(shards: Int, ranks: Int) {
    let tree = ShardTree(shards: shards)
    let ownership = ShardOwnership(shards: shards, ranks: ranks)
    let counts = (0..<ranks).map { tree.subtrees(of: ownership.shards(of: $0)).count }
    localShards = ownership.shards(of: 0).count
    all = counts.reduce(0, +)
    own = counts.max() ?? 1
    leastOwn = counts.min() ?? 1
  }
}

/// What a message costs: the LogGP model (Alexandrov, Ionescu, Schauser and Scheiman, SPAA 1995) with one latency, a
/// share of the processor for each message, and a bandwidth that every rank has to itself in both directions.
package struct LinkModel: Sendable {
  /// Seconds from one rank to another, α.
  package let latency: Double
  /// Seconds that a rank is busy with each message.
  package let perMessage: Double
  /// Bytes a second, 1/β.
  package let bandwidth: Double

  package init(latency: Double, perMessage: Double, bandwidth: Double) {
    self.latency = latency
    self.perMessage = perMessage
    self.bandwidth = bandwidth
  }

  /// The link of a rank that has only one in so many parts of a core, and of the memory's bandwidth: ranks of one
  /// machine pass messages with their own processors.
  package func shared(by ranks: Double) -> LinkModel {
    LinkModel(latency: latency, perMessage: perMessage * ranks, bandwidth: bandwidth / ranks)
  }

  /// Seconds until a rank has sent messages to all others and got theirs.
  ///
  /// - Parameter bytes: what it sends or receives in all, the larger.
  package func exchange(ranks: Int, bytes: Double, messagesPerPeer: Int = 1) -> Double {
    guard ranks > 1 else { return 0 }
    return latency + Double((ranks - 1) * messagesPerPeer) * perMessage + bytes / bandwidth
  }
}
