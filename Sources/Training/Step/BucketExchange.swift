import Collectives
import TensorCore

/// What an update needs besides the gradient.
package struct ParameterUpdate {
  /// The flat buffer, element 0.
  let parameters: UnsafeMutablePointer<Float>
  /// Updates made before this one.
  let updates: Int
  let learningRate: Double
}

/// One bucket of the gradient: summed over all shards, this rank's slice of it; that slice of the parameters updated
/// with its slice of the moments, and given to all.
struct BucketExchange<C: Communicator> {
  let reduction: OrderedReduction<C>
  /// Over this rank's slice.
  let optimizer: AdamW

  init(
    _ communicator: C, ownership: ShardOwnership, range: Range<Int>, precision: NodePrecision,
    weightDecay: Double
  ) throws {
    reduction = try OrderedReduction(communicator, ownership: ownership, range: range, precision: precision)
    optimizer = AdamW(range: reduction.slice, weightDecay: weightDecay)
  }

  /// Waits for the other ranks' parts, updates, and starts to give the slice to all.
  ///
  /// - Parameter sum: memory for a slice of the gradient.
  func update(_ update: ParameterUpdate, sum: UnsafeMutablePointer<Float>, clock: PhaseClock) throws {
    try clock.measure(.exchange) { try reduction.finish(into: sum) }
    clock.measure(.optimizer) {
      optimizer.update(
        update.parameters, gradient: sum, updates: update.updates, learningRate: update.learningRate)
    }
    try clock.measure(.exchange) { try reduction.startGather(update.parameters) }
  }
}
