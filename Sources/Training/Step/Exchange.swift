import Collectives
import Diagnostics
import SpeakerNet
import TensorCore

/// The second half of a step: from every rank's gradients to the same updated parameters on all ranks.
///
/// With ordered reductions (the default) each rank sums its slice of each bucket in the fixed tree, updates that
/// slice of the parameters with its slice of the moments, and gives it to all while it goes on to the next bucket.
/// Without (`train.reduction: mpi`), the thing to compare with, the library's all-reduce sums in an order of its own
/// and every rank updates everything.
final class Exchange<C: Communicator> {
  private let communicator: C
  private let count: Int
  /// `nil`: the library's all-reduce.
  private let reductions: BucketReductions<C>?
  /// One for each bucket, over this rank's slice of it.
  private let optimizers: [AdamW]
  /// The summed gradient of the largest slice.
  private let gradient: UnsafeMutablePointer<Float>
  private let clock: PhaseClock

  /// - Parameters:
  ///   - count: floats that are trained, the first of the flat buffer.
  ///   - clock: gets the time of the exchange and of the optimizer.
  init(
    _ communicator: C, count: Int, reductions: BucketReductions<C>?, weightDecay: Double, clock: PhaseClock
  ) {
    self.communicator = communicator
    self.count = count
    self.reductions = reductions
    self.clock = clock
    let slices = reductions?.reductions.map(\.slice) ?? [0..<count]
    optimizers = slices.map { AdamW(range: $0, weightDecay: weightDecay) }
    let largest = slices.map(\.count).max() ?? 0
    gradient = UnsafeMutableRawPointer.allocate(byteCount: max(64, largest * 4), alignment: 64)
      .bindMemory(to: Float.self, capacity: max(1, largest))
  }

  deinit { gradient.deallocate() }

  /// Sums the gradients over all shards and updates `parameters` on every rank.
  ///
  /// - Parameters:
  ///   - gradients: this rank's, of which the reductions may have got buckets already.
  ///   - updates: updates made before this one.
  func update(
    _ parameters: UnsafeMutablePointer<Float>, gradients: GradientTree, updates: Int, learningRate: Double
  ) throws {
    func update(_ bucket: Int) {
      clock.measure(.optimizer) {
        optimizers[bucket].update(
          parameters, gradient: gradient, updates: updates, learningRate: learningRate)
      }
    }
    guard let reductions else {
      gradients.sumRoots(into: gradient)
      try timed { try communicator.allReduceSum(UnsafeMutableBufferPointer(start: gradient, count: count)) }
      return update(0)
    }
    try timed { try reductions.startAll(roots: gradients.roots) }
    // By index: the iterators of sequences of classes would be made anew each step.
    let buckets = reductions.reductions
    for bucket in buckets.indices {
      try timed { try reductions.finish(bucket, into: gradient) }
      update(bucket)
      try timed { try buckets[bucket].startGather(parameters) }
    }
    communicator.activity?.note(.parameterGather)
    reductions.reset()
    try timed { for bucket in buckets.indices { try buckets[bucket].finishGather() } }
  }

  private func timed(_ body: () throws -> Void) throws {
    let start = clock.isOn ? monotonicNanoseconds() : 0
    try body()
    if clock.isOn { clock.add(.exchange, from: start, to: monotonicNanoseconds()) }
  }

  /// AdamW's moments of all parameters, [count] each, on rank 0; `nil` elsewhere. Collective.
  func gatherMoments() throws -> (moment: [Float], variance: [Float])? {
    let moment = try gather { $0.moment }
    let variance = try gather { $0.variance }
    guard let moment, let variance else { return nil }
    return (moment, variance)
  }

  /// Takes this rank's part of the moments of all parameters, [count] each.
  func setMoments(_ moment: [Float], _ variance: [Float]) {
    for optimizer in optimizers {
      for (place, index) in optimizer.range.enumerated() {
        optimizer.moment[place] = moment[index]
        optimizer.variance[place] = variance[index]
      }
    }
  }

  private func gather(_ slice: (AdamW) -> UnsafeMutablePointer<Float>) throws -> [Float]? {
    guard let reductions else { return Array(UnsafeBufferPointer(start: slice(optimizers[0]), count: count)) }
    var all = [Float](repeating: 0, count: communicator.rank == 0 ? count : 0)
    try all.withUnsafeMutableBufferPointer { all in
      for (optimizer, reduction) in zip(optimizers, reductions.reductions) {
        let counts = (0..<communicator.size).map { reduction.slice(of: $0).count * MemoryLayout<Float>.size }
        let mine = UnsafeBufferPointer(start: slice(optimizer), count: optimizer.range.count)
        let bucket = UnsafeMutableBufferPointer(
          rebasing: communicator.rank == 0 ? all[reduction.range] : all[...])
        try communicator.gather(
          UnsafeRawBufferPointer(mine), into: UnsafeMutableRawBufferPointer(bucket), counts: counts, root: 0)
      }
    }
    return communicator.rank == 0 ? all : nil
  }
}
