import Collectives
import TensorCore

/// The thing to compare with (`train.reduction: mpi`): the library's all-reduce sums the whole gradient, in an order
/// of its own, and every rank updates everything.
final class AllReduceUpdate<C: Communicator> {
  let optimizer: AdamW
  private let communicator: C
  private let gradient: UnsafeMutableBufferPointer<Float>

  /// - Parameter count: floats that are trained, the first of the flat buffer.
  init(_ communicator: C, count: Int, weightDecay: Double) {
    self.communicator = communicator
    optimizer = AdamW(range: 0..<count, weightDecay: weightDecay)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(64, count * 4), alignment: 64)
    gradient = UnsafeMutableBufferPointer(rebasing: memory.bindMemory(to: Float.self)[..<count])
  }

  deinit { gradient.deallocate() }

  /// Sums the gradients over all shards and updates the parameters.
  func callAsFunction(_ gradients: GradientTree, _ update: ParameterUpdate, clock: PhaseClock) throws {
    guard let sum = gradient.baseAddress else { return }
    communicator.activity?.note(.gradientExchange)
    gradients.sumRoots(into: sum)
    try clock.measure(.exchange) { try communicator.allReduceSum(gradient) }
    clock.measure(.optimizer) {
      optimizer.update(
        update.parameters, gradient: sum, updates: update.updates, learningRate: update.learningRate)
    }
  }
}
