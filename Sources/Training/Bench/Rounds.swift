import Collectives
import TensorCore

/// One figure measured in several rounds: the median stands for it, the lowest and the highest for its spread.
package struct Rounds: Sendable {
  private var values: [Double] = []

  package init() {}

  /// Adds a round's figure.
  package mutating func add(_ value: Double) { values.append(value) }

  /// The middle figure; of an even number, the mean of the two in the middle.
  package var median: Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return 0 }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// The lowest and the highest figure.
  package var spread: ClosedRange<Double> { (values.min() ?? 0)...(values.max() ?? 0) }
}

extension Communicator {
  /// Seconds from the ranks' common start until the last of them has done `body`; the same on all. Collective.
  func seconds(_ body: () throws -> Void) throws -> Double {
    try barrier()
    let start = monotonicNanoseconds()
    try body()
    let mine = monotonicNanoseconds() - start
    return Double(max(1, try allGather(mine).max() ?? 1)) * 1e-9
  }
}
