import Collectives
import Diagnostics
import SpeakerNet
import TensorCore

/// The second half of a step: from every rank's gradients to the same updated parameters on all ranks.
///
/// With `ordered` (the default) each rank sums its slice of the gradient in the fixed tree, updates its slice of
/// the parameters with its slice of the moments, and gives it to all. With `mpi`, the thing to compare with, the
/// library's all-reduce sums in an order of its own and every rank updates everything.
final class Exchange<C: Communicator> {
  private let communicator: C
  private let count: Int
  private let optimizer: AdamW
  private let reduction: OrderedReduction<C>?
  private let gradient: UnsafeMutablePointer<Float>
  private let clock: PhaseClock

  /// - Parameters:
  ///   - count: floats that are trained, the first of the flat buffer.
  ///   - clock: gets the time of the exchange and of the optimizer.
  init(
    _ communicator: C, shards: Int, count: Int, weightDecay: Double, reduction: TrainConfiguration.Reduction,
    clock: PhaseClock
  ) throws(Failure) {
    self.communicator = communicator
    self.count = count
    self.clock = clock
    switch reduction {
    case .ordered:
      let ordered = try OrderedReduction(
        communicator, ownership: ShardOwnership(shards: shards, ranks: communicator.size), range: 0..<count)
      self.reduction = ordered
      optimizer = AdamW(range: ordered.slice, weightDecay: weightDecay)
    case .mpi:
      self.reduction = nil
      optimizer = AdamW(range: 0..<count, weightDecay: weightDecay)
    }
    gradient = UnsafeMutableRawPointer.allocate(byteCount: max(64, optimizer.range.count * 4), alignment: 64)
      .bindMemory(to: Float.self, capacity: max(1, optimizer.range.count))
  }

  deinit { gradient.deallocate() }

  /// Sums the gradients over all shards and updates `parameters` on every rank.
  ///
  /// - Parameter updates: updates made before this one.
  func update(
    _ parameters: UnsafeMutablePointer<Float>, gradients: GradientTree, updates: Int, learningRate: Double
  ) throws {
    let start = clock.isOn ? monotonicNanoseconds() : 0
    if let reduction {
      try reduction.start(roots: gradients.roots)
      try reduction.finish(into: gradient)
    } else {
      gradients.sumRoots(into: gradient)
      try communicator.allReduceSum(UnsafeMutableBufferPointer(start: gradient, count: count))
    }
    let summed = clock.isOn ? monotonicNanoseconds() : 0
    optimizer.update(parameters, gradient: gradient, updates: updates, learningRate: learningRate)
    let updated = clock.isOn ? monotonicNanoseconds() : 0
    try reduction?.startGather(parameters)
    try reduction?.finishGather()
    guard clock.isOn else { return }
    clock.add(.exchange, from: start, to: summed)
    clock.add(.optimizer, from: summed, to: updated)
    clock.add(.exchange, from: updated, to: monotonicNanoseconds())
  }

  /// AdamW's moments of all parameters, [count] each, on rank 0; `nil` elsewhere. Collective.
  func gatherMoments() throws -> (moment: [Float], variance: [Float])? {
    let moment = try gather(optimizer.moment)
    let variance = try gather(optimizer.variance)
    guard let moment, let variance else { return nil }
    return (moment, variance)
  }

  /// Takes this rank's part of the moments of all parameters, [count] each.
  func setMoments(_ moment: [Float], _ variance: [Float]) {
    for index in optimizer.range {
      optimizer.moment[index - optimizer.range.lowerBound] = moment[index]
      optimizer.variance[index - optimizer.range.lowerBound] = variance[index]
    }
  }

  private func gather(_ slice: UnsafeMutablePointer<Float>) throws -> [Float]? {
    guard let reduction else { return Array(UnsafeBufferPointer(start: slice, count: count)) }
    let counts = (0..<communicator.size).map { reduction.slice(of: $0).count * MemoryLayout<Float>.size }
    var all = [Float](repeating: 0, count: communicator.rank == 0 ? count : 0)
    try all.withUnsafeMutableBytes {
      try communicator.gather(
        UnsafeRawBufferPointer(start: slice, count: counts[communicator.rank]), into: $0, counts: counts,
        root: 0)
    }
    return communicator.rank == 0 ? all : nil
  }
}
