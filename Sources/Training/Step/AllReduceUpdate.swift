import Collectives
import TensorCore

/// The thing to compare with (`train.reduction: mpi`): the library's all-reduce sums the whole gradient, in an order
/// of its own, and every rank updates everything.
final class AllReduceUpdate<C: Communicator> {
  let optimizer: AdamW
  private let communicator: C
  private let gradient: AlignedFloats

  /// - Parameter count: floats that are trained, the first of the flat buffer.
  init(_ communicator: C, count: Int, weightDecay: Double) {
    self.communicator = communicator
    optimizer = AdamW(range: 0..<count, weightDecay: weightDecay)
    gradient = AlignedFloats(count: count)
  }

  /// Sums the gradients over all shards and updates the parameters.
  func callAsFunction(_ gradients: GradientTree, _ update: ParameterUpdate, clock: PhaseClock) throws {
    communicator.activity?.note(.gradientExchange)
    gradients.sumRoots(into: gradient.start)
    try clock.measure(.exchange) {
      try communicator.allReduceSum(UnsafeMutableBufferPointer(start: gradient.start, count: gradient.count))
    }
    clock.measure(.optimizer) {
      optimizer.update(
        update.parameters, gradient: gradient.start, updates: update.updates,
        learningRate: update.learningRate)
    }
  }
}
