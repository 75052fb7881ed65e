import Diagnostics
import TensorCore

/// The values a model is trained to: one flat buffer of parameters and one of running statistics.
///
/// All ranks hold the same values. Between steps they belong to the trainer; during a step the parameters are only
/// read, and the statistics are written by one worker of a rank.
public final class ModelState: @unchecked Sendable {
  // Unchecked: lent to the workers for the length of a step, which only read the parameters.

  /// [layout.count] parameters, those that are trained first.
  public let parameters: UnsafeMutablePointer<Float>
  /// [layout.statisticsCount] running means and variances.
  public let statistics: UnsafeMutablePointer<Float>
  /// Training batches that the running statistics have seen.
  public var batchesTracked: Int64 = 0
  /// Names and places.
  public let layout: ParameterLayout
  private let isPlanned: Bool

  /// Parameters at zero, running means at 0 and variances at 1.
  public init(layout: ParameterLayout) {
    self.layout = layout
    isPlanned = false
    OutOfMemory.require((layout.count + layout.statisticsCount) * 4, for: "parameters")
    parameters = .allocate(capacity: max(1, layout.count))
    parameters.initialize(repeating: 0, count: max(1, layout.count))
    statistics = .allocate(capacity: max(1, layout.statisticsCount))
    statistics.initialize(repeating: 0, count: max(1, layout.statisticsCount))
    for entry in layout.statistics {
      (statistics + entry.variance.offset).update(repeating: 1, count: entry.variance.count)
    }
  }

  /// A state without memory, for passes that only count.
  init(planned layout: ParameterLayout) {
    self.layout = layout
    isPlanned = true
    let arena = Arena(isPlanned: true)
    parameters = arena.floats(layout.count)
    statistics = arena.floats(layout.statisticsCount)
  }

  deinit {
    guard !isPlanned else { return }
    parameters.deallocate()
    statistics.deallocate()
  }

  /// The same values in memory of their own.
  public func copy() -> ModelState {
    let copy = ModelState(layout: layout)
    copy.update(from: self)
    return copy
  }

  /// Takes the values of another state of the same layout.
  public func update(from other: ModelState) {
    parameters.update(from: other.parameters, count: layout.count)
    statistics.update(from: other.statistics, count: layout.statisticsCount)
    batchesTracked = other.batchesTracked
  }

  /// Draws the initial values. A value depends on the seed and the parameter's place alone.
  public func initialize(seed: UInt64) {
    for entry in layout.entries {
      let values = parameters + entry.parameter.offset
      if let original = entry.copyOf {
        values.update(
          from: parameters + layout.entries[original].parameter.offset, count: entry.parameter.count)
        continue
      }
      switch entry.initialization {
      case .zeros: values.update(repeating: 0, count: entry.parameter.count)
      case .ones: values.update(repeating: 1, count: entry.parameter.count)
      case .uniform(let bound):
        let stream = RandomStream(seed: seed, purpose: .initialization, sample: entry.parameter.index)
        for element in 0..<entry.parameter.count {
          values[element] = (2 * stream.uniform(at: element) - 1) * bound
        }
      }
    }
  }
}
