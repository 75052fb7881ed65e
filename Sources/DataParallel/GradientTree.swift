import CKernels
import Collectives
import Diagnostics
import SpeakerNet
import TensorCore
import Threads

/// Sums the gradients of a rank's shards, in the fixed tree, as the shards finish in any order, bucket by bucket.
///
/// Each shard writes its gradient into a buffer of its own. Whoever finishes a bucket of the second of two
/// neighbours adds the two; what a rank cannot add without others stays as the roots that it sends. Buffers are
/// reused, so a rank with many shards holds about as many gradients as it has threads.
final class GradientTree: @unchecked Sendable {
  // Unchecked: the tables are written under the monitor; of a buffer, a bucket belongs to one worker at a time.

  /// How the gradient is cut.
  let buckets: GradientBuckets
  /// This rank's roots, one flat buffer each, as soon as a bucket is complete.
  private(set) var roots: [UnsafePointer<Float>] = []

  private let count: Int
  private let precision: NodePrecision
  private let monitor = Monitor()
  private let leaves: Int
  private let merges: [ShardTree.Merge]
  /// For each leaf and then each merge: the merge that needs it, or nil for a root.
  private let consumers: [Int?]
  /// For each merge and bucket: how many of its two parts are there.
  private var arrived: [Int]
  /// For each merge: how many buckets it has added.
  private var added: [Int]
  /// For each bucket: how many roots are not complete.
  private var missingRoots: [Int]
  /// For each leaf: the buffer that holds its gradient, and then the sums that its slot takes.
  private var buffers: [UnsafeMutablePointer<Float>?]
  private var spare: [UnsafeMutablePointer<Float>] = []
  private var all: [UnsafeMutablePointer<Float>] = []
  private let rootSlots: [Int]

  /// - Parameters:
  ///   - count: elements of a gradient.
  ///   - shards: this rank's. Without any it has one leaf all the same, the empty slice, and no roots.
  ///   - tree: the tree over all shards.
  ///   - precision: what every node of it is rounded to, leaves too.
  init(
    count: Int, buckets: GradientBuckets, shards: Range<Int>, in tree: ShardTree,
    precision: NodePrecision
  ) {
    self.count = count
    self.precision = precision
    self.buckets = buckets
    leaves = max(1, shards.count)
    let merges = tree.merges(of: shards.map { $0..<$0 + 1 })
    self.merges = merges
    var producer = Array(0..<leaves)  // which leaf or merge filled a slot last
    var consumers: [Int?] = Array(repeating: nil, count: leaves + merges.count)
    for (index, merge) in merges.enumerated() {
      consumers[producer[merge.into]] = index
      consumers[producer[merge.from]] = index
      producer[merge.into] = leaves + index
    }
    self.consumers = consumers
    arrived = Array(repeating: 0, count: merges.count * buckets.ranges.count)
    added = Array(repeating: 0, count: merges.count)
    missingRoots = Array(repeating: 0, count: buckets.ranges.count)
    buffers = Array(repeating: nil, count: leaves)
    rootSlots = tree.subtrees(of: shards).map { $0.lowerBound - shards.lowerBound }
    roots.reserveCapacity(rootSlots.count)
  }

  deinit { for buffer in all { buffer.deallocate() } }

  /// Begins a step: the buffers of the last one may be written again.
  func reset() {
    for slot in buffers.indices {
      if let buffer = buffers[slot] { spare.append(buffer) }
      buffers[slot] = nil
    }
    for index in arrived.indices { arrived[index] = 0 }
    for merge in added.indices { added[merge] = 0 }
    for bucket in missingRoots.indices { missingRoots[bucket] = max(1, rootSlots.count) }
    roots.removeAll(keepingCapacity: true)
  }

  /// The buffer that local shard `shard` writes its gradient to; undefined content.
  func buffer(for shard: Int) -> UnsafeMutablePointer<Float> {
    let taken = monitor.withLock { spare.popLast() } ?? newBuffer()
    monitor.withLock { buffers[shard] = taken }
    return taken
  }

  /// Says that a bucket of a shard's gradient is final; makes every addition that this allows.
  ///
  /// - Returns: whether the bucket is complete now in all of ``roots``.
  func finish(_ bucket: Int, of shard: Int) -> Bool {
    let range = buckets.ranges[bucket]
    round(shard, range)
    var done = shard
    while let index = consumers[done] {
      let merge = merges[index]
      let parts = monitor.withLock {
        arrived[index * buckets.ranges.count + bucket] += 1
        return arrived[index * buckets.ranges.count + bucket] < 2
          ? nil : (buffers[merge.into]!, buffers[merge.from]!)
      }
      guard let (left, right) = parts else { return false }
      add(right + range.lowerBound, to: left + range.lowerBound, count: range.count)
      monitor.withLock {
        added[index] += 1
        guard added[index] == buckets.ranges.count else { return }
        buffers[merge.from] = nil
        spare.append(right)
      }
      done = leaves + index
    }
    return monitor.withLock {
      missingRoots[bucket] -= 1
      guard missingRoots[bucket] == 0 else { return false }
      // All leaves have their buffers by now, and the slots of the roots keep them.
      if roots.isEmpty { for slot in rootSlots { roots.append(UnsafePointer(buffers[slot]!)) } }
      return true
    }
  }

  private func round(_ leaf: Int, _ range: Range<Int>) {
    guard precision == .bf16 else { return }
    let gradient = monitor.withLock { buffers[leaf]! }
    BFloat16.round(gradient + range.lowerBound, count: range.count)
  }

  private func add(_ right: UnsafePointer<Float>, to left: UnsafeMutablePointer<Float>, count: Int) {
    switch precision {
    case .f32: kernel_add(count, right, left)
    case .bf16: BFloat16.add(UnsafePointer(left), right, into: left, count: count)
    }
  }

  /// The sum of the roots, in order: what a rank brings to a sum that has no order.
  func sumRoots(into sum: UnsafeMutablePointer<Float>) {
    sum.update(repeating: 0, count: count)
    for root in roots { kernel_add(count, root, sum) }
  }

  private func newBuffer() -> UnsafeMutablePointer<Float> {
    OutOfMemory.require(count * 4, for: "gradients")
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: max(64, count * 4), alignment: 64)
      .bindMemory(to: Float.self, capacity: count)
    monitor.withLock {
      all.append(buffer)
      spare.reserveCapacity(all.count)
    }
    return buffer
  }
}

/// How the flat gradient is cut for the exchange: runs of whole parameters, or of the parts in which large ones are
/// finished, the last layers' first.
///
/// The backward pass finishes the flat buffer from its end, so bucket 0 can be under way while the layers before it
/// are still computed. Only the last bucket has nothing left to hide behind.
package struct GradientBuckets: Sendable {
  /// Large enough for its bytes to count more than the messages' latency, small enough to go out early.
  package static let leastFloats = Parameter.worthSending

  /// Elements of each bucket, from the end of the buffer to its start.
  package let ranges: [Range<Int>]
  /// Elements of all.
  package var count: Int { ranges[0].upperBound }

  /// Buckets of at least `settings.bucketFloats`; less than two of them are one, and so is everything without overlap.
  package init(_ layout: ParameterLayout, _ settings: ExchangeSettings) {
    let starts = layout.entries.filter(\.isTrained).flatMap { entry in
      (0..<entry.parameter.parts).map(entry.parameter.offset(ofPart:))
    }
    let leastFloats = settings.bucketFloats
    var ranges: [Range<Int>] = []
    var end = layout.trainedCount
    if settings.overlaps && end >= 2 * leastFloats {
      for start in starts.reversed() where end - start >= leastFloats {
        ranges.append(start..<end)
        end = start
      }
    }
    // What is left at the front is small, but the one bucket that nothing hides: it stays by itself.
    if end > 0 || ranges.isEmpty { ranges.append(0..<end) }
    self.ranges = ranges
  }

  /// How many of the first buckets lie wholly from this element on.
  package func count(from offset: Int) -> Int {
    ranges.firstIndex { $0.lowerBound < offset } ?? ranges.count
  }
}
