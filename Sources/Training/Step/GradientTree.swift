import CKernels
import Collectives
import TensorCore

/// Sums the gradients of a rank's shards, in the fixed tree, as the shards finish in any order.
///
/// Each shard writes its gradient into a buffer of its own. Whoever finishes the second of two neighbours adds
/// them; what a rank cannot add without others stays as the roots that it sends. Buffers are reused, so a rank
/// with many shards holds about as many gradients as it has threads.
final class GradientTree: @unchecked Sendable {
  // Unchecked: the tables are written under the monitor; a buffer belongs to the one worker that took it.

  /// Elements of a gradient.
  let count: Int
  /// This rank's roots after every shard has finished, one flat buffer each.
  private(set) var roots: [UnsafePointer<Float>] = []

  private let monitor = Monitor()
  private let shards: Int
  private let merges: [ShardTree.Merge]
  /// For each leaf and then each merge: the merge that needs it, or nil for a root.
  private let consumers: [Int?]
  /// For each merge: how many of its two parts are there.
  private var arrived: [Int]
  /// For each local shard: the buffer of the sum that its slot holds.
  private var buffers: [UnsafeMutablePointer<Float>?]
  private var spare: [UnsafeMutablePointer<Float>] = []
  private var all: [UnsafeMutablePointer<Float>] = []
  private let rootSlots: [Int]

  /// - Parameters:
  ///   - run: this rank's shards.
  ///   - tree: the tree over all shards.
  init(count: Int, run: Range<Int>, in tree: ShardTree) {
    self.count = count
    shards = run.count
    let merges = tree.merges(of: run.map { $0..<$0 + 1 })
    self.merges = merges
    var producer = Array(0..<run.count)  // which leaf or merge filled a slot last
    var consumers: [Int?] = Array(repeating: nil, count: run.count + merges.count)
    for (index, merge) in merges.enumerated() {
      consumers[producer[merge.into]] = index
      consumers[producer[merge.from]] = index
      producer[merge.into] = run.count + index
    }
    self.consumers = consumers
    arrived = Array(repeating: 0, count: merges.count)
    buffers = Array(repeating: nil, count: run.count)
    rootSlots = tree.subtrees(of: run).map { $0.lowerBound - run.lowerBound }
    roots.reserveCapacity(rootSlots.count)
  }

  deinit { for buffer in all { buffer.deallocate() } }

  /// Begins a step: the buffers of the last one may be written again.
  func reset() {
    for slot in buffers.indices {
      if let buffer = buffers[slot] { spare.append(buffer) }
      buffers[slot] = nil
    }
    for merge in arrived.indices { arrived[merge] = 0 }
    roots.removeAll(keepingCapacity: true)
  }

  /// The buffer that local shard `shard` writes its gradient to; undefined content. What an empty slice writes is
  /// not kept.
  func buffer(for shard: Int, isKept: Bool = true) -> UnsafeMutablePointer<Float> {
    let taken = monitor.withLock { spare.popLast() } ?? newBuffer()
    monitor.withLock { if isKept { buffers[shard] = taken } else { spare.append(taken) } }
    return taken
  }

  /// Says that a shard's gradient is complete; makes every addition that this allows.
  func finish(_ shard: Int) {
    var done = shard
    while let merge = consumers[done] {
      let parts = monitor.withLock {
        arrived[merge] += 1
        return arrived[merge] < 2 ? nil : (buffers[merges[merge].into]!, buffers[merges[merge].from]!)
      }
      guard let (left, right) = parts else { return }
      kernel_add(count, right, left)
      monitor.withLock {
        buffers[merges[merge].from] = nil
        spare.append(right)
      }
      done = shards + merge
    }
  }

  /// Ends the step's sums: fills ``roots``.
  func collectRoots() {
    for slot in rootSlots { roots.append(UnsafePointer(buffers[slot]!)) }
  }

  /// The sum of the roots, in order: what a rank brings to a sum that has no order.
  func sumRoots(into sum: UnsafeMutablePointer<Float>) {
    sum.update(repeating: 0, count: count)
    for root in roots { kernel_add(count, root, sum) }
  }

  private func newBuffer() -> UnsafeMutablePointer<Float> {
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: max(64, count * 4), alignment: 64)
      .bindMemory(to: Float.self, capacity: count)
    monitor.withLock {
      all.append(buffer)
      spare.reserveCapacity(all.count)
    }
    return buffer
  }
}
