import Collectives
import Diagnostics

extension Conformance {
  static var reductionChecks: [Check] {
    [
      Check(name: "ordered reduction over 1 to 16 shards, bit for bit") { group in
        for shards in 1...16 {
          for size in [0, 1, 15, 16, 17, 63, 1000] + [Int(TestValues.bits(shards, 3) % 20_000)] {
            let start = Int(TestValues.bits(shards, size) % 100)
            let bucket = try Bucket(group, shards: shards, range: start..<start + size)
            for step in 0..<2 {
              try bucket.start(step: step)
              try bucket.finish()
              try bucket.verify()
            }
          }
        }
      },
      Check(name: "ordered reduction of buckets in flight together") { group in
        let bounds = [0, 48, 4000, 4017, 20_000, 20_001, 65_536]
        for shards in [3, 8, 11] {
          let buckets = try zip(bounds, bounds.dropFirst()).map {
            try Bucket(group, shards: shards, range: $0..<$1)
          }
          for index in buckets.indices.reversed() { try buckets[index].start(step: index) }
          while !(try buckets.allSatisfy { try $0.test() }) {}
          for index in buckets.indices { try buckets[index].finish() }
          for bucket in buckets { try bucket.verify() }
        }
      },
      Check(name: "ordered reduction in place, part by part") { group in
        for shards in [2, 5, 8] {
          let (range, tree) = (100..<9_111, ShardTree(shards: shards))
          let ownership = ShardOwnership(shards: shards, ranks: group.size)
          let reduction = try OrderedReduction(group, ownership: ownership, range: range, granularity: 256)
          let roots = tree.subtrees(of: ownership.shards(of: group.rank)).map { node in
            flat(TestValues.treeSum(node.lowerBound, node.upperBound, count: range.upperBound))
          }
          defer { withExtendedLifetime(roots) {} }
          try reduction.start(roots: roots.map { UnsafePointer($0.start) })
          try reduction.wait()
          // The sum replaces the rank's first root; a rank without one brings its own memory.
          let output = roots.first ?? AlignedFloats(count: range.upperBound)
          let middle = reduction.owned.lowerBound + reduction.owned.count / 3
          for part in [middle..<reduction.owned.upperBound, reduction.owned.lowerBound..<middle] {
            reduction.sum(part, into: output.start + part.lowerBound)
          }
          let wanted = TestValues.treeSum(0, shards, count: range.upperBound)
          try expectSameBits(
            output.array[reduction.owned], wanted[reduction.owned],
            "\(shards) shards, slice \(reduction.owned)")
        }
      },
      Check(name: "slices cover the range at multiples of the granularity") { group in
        for (range, granularity) in [(0..<0, 16), (0..<5, 16), (7..<1000, 16), (1024..<9999, 1024)] {
          let reduction = try OrderedReduction(
            group, ownership: ShardOwnership(shards: 8, ranks: group.size), range: range,
            granularity: granularity)
          let slices = (0..<group.size).map(reduction.owned(by:))
          try expect(slices[group.rank] == reduction.owned, "\(reduction.owned) is not \(slices[group.rank])")
          try expect(slices[0].lowerBound == range.lowerBound, "\(slices) begin late")
          try expect(slices[group.size - 1].upperBound == range.upperBound, "\(slices) end early")
          for (slice, next) in zip(slices, slices.dropFirst()) {
            try expect(slice.upperBound == next.lowerBound, "\(slices) leave gaps")
            try expect(
              slice.upperBound % granularity == 0 || slice.upperBound == range.upperBound,
              "\(slices) are not cut at multiples of \(granularity)")
          }
        }
      },
      Check(name: "ordered sums of a few floats, on every rank") { group in
        for shards in 1...16 {
          for count in [1, 2, 80, 333] {
            let ownership = ShardOwnership(shards: shards, ranks: group.size)
            let sum = try OrderedSum(group, ownership: ownership, count: count)
            for salt in 0..<3 {
              let values = flat(
                ownership.shards(of: group.rank).flatMap { TestValues.shard($0, count: count, salt: salt) })
              let result = AlignedFloats(count: count)
              defer { withExtendedLifetime(values) {} }
              try sum.sum(values.start, into: result.start)
              try expectSameBits(
                result.array, TestValues.treeSum(0, shards, count: count, salt: salt), "\(count) × \(shards)")
            }
          }
        }
      },
    ]
  }
}

private func flat(_ values: [Float]) -> AlignedFloats {
  let copy = AlignedFloats(count: values.count)
  for (index, value) in values.enumerated() { copy.start[index] = value }
  return copy
}

/// One training step's exchange of a part of the parameters: local sums, reduction, an update, the gather.
/// A class, so that the memory lent to the exchange lives as long as anything here is used.
private final class Bucket<C: Communicator> {
  private let reduction: OrderedReduction<C>
  private let range: Range<Int>
  private let shards: Range<Int>
  private let total: Int
  private let merges: [ShardTree.Merge]
  private let gradients: [AlignedFloats]
  private let parameters: AlignedFloats
  private var step = 0

  init(_ group: C, shards total: Int, range: Range<Int>) throws {
    let ownership = ShardOwnership(shards: total, ranks: group.size)
    reduction = try OrderedReduction(group, ownership: ownership, range: range)
    self.range = range
    self.total = total
    shards = ownership.shards(of: group.rank)
    merges = ShardTree(shards: total).merges(of: shards.map { $0..<$0 + 1 })
    gradients = shards.map { _ in AlignedFloats(count: range.upperBound) }
    parameters = AlignedFloats(count: range.upperBound + 1)
  }

  /// Makes this step's gradients, adds them up within the rank, and starts the exchange.
  func start(step: Int) throws {
    self.step = step
    for (gradient, shard) in zip(gradients, shards) {
      for (index, value) in TestValues.shard(shard, count: range.count, salt: step).enumerated() {
        gradient.start[range.lowerBound + index] = value
      }
    }
    for merge in merges {
      let (into, from) = (gradients[merge.into].start, gradients[merge.from].start)
      add(into + range.lowerBound, from + range.lowerBound, into: into + range.lowerBound, count: range.count)
    }
    // The sum of a root is left in the slot of its first shard.
    let roots = reduction.localRoots.map { gradients[$0.lowerBound - shards.lowerBound] }
    try reduction.start(roots: roots.map { UnsafePointer($0.start) })
  }

  func test() throws -> Bool { try reduction.test() }

  /// The "update" makes every parameter its gradient.
  func finish() throws {
    try reduction.finish(into: parameters.start + reduction.owned.lowerBound)
    try reduction.startGather(parameters.start)
    try reduction.finishGather()
  }

  func verify() throws {
    let wanted =
      [Float](repeating: 0, count: range.lowerBound)
      + TestValues.treeSum(0, total, count: range.count, salt: step) + [0]
    try expectSameBits(parameters.array, wanted, "\(total) shards, elements \(range), step \(step)")
  }
}
