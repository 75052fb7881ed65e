import Collectives

/// AdamW's moments, each rank's part of them.
struct Moments<C: Communicator> {
  let communicator: C
  /// Floats that are trained.
  let count: Int
  /// Over this rank's slice of each bucket; or over everything, when all ranks update everything.
  let optimizers: [AdamW]
  /// Of the same buckets; none when all ranks have everything.
  let reductions: [OrderedReduction<C>]

  /// All of them, [count] each, on rank 0; `nil` elsewhere. Collective.
  func gather() throws -> (moment: [Float], variance: [Float])? {
    let moment = try gather { $0.moment }
    let variance = try gather { $0.variance }
    guard let moment, let variance else { return nil }
    return (moment, variance)
  }

  /// Takes this rank's part of all, [count] each.
  func set(_ moment: [Float], _ variance: [Float]) {
    for optimizer in optimizers {
      for (place, index) in optimizer.range.enumerated() {
        optimizer.moment[place] = moment[index]
        optimizer.variance[place] = variance[index]
      }
    }
  }

  private func gather(_ slice: (AdamW) -> UnsafeMutablePointer<Float>) throws -> [Float]? {
    if reductions.isEmpty { return Array(UnsafeBufferPointer(start: slice(optimizers[0]), count: count)) }
    var all = [Float](repeating: 0, count: communicator.rank == 0 ? count : 0)
    try all.withUnsafeMutableBufferPointer { all in
      for (optimizer, reduction) in zip(optimizers, reductions) {
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
