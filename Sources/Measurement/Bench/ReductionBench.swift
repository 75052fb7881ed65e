import Collectives
import Foundation
import TensorFiles

/// Measures a step's exchange, gradients summed in the fixed tree and parameters gathered, against the transport's
/// own all-reduce of as many floats, for the recipe's parameters and some round sizes.
struct ReductionBench<C: Communicator> {
  let communicator: C
  let shards: Int
  /// Floats of the recipe's gradient.
  let parameters: Int
  let recipe: String
  let seconds: Double

  /// What one size takes, in seconds, each the slowest rank's.
  struct Row: Sendable {
    let count: Int
    var ordered = Rounds(), allReduce = Rounds()
  }

  /// Collective.
  func measure() throws -> [Row] {
    let sizes = [parameters, 1_024, 131_072, 1_900_000, 8_650_000]
    return try sizes.map { try measure($0, seconds: seconds / Double(sizes.count)) }
  }

  private func measure(_ count: Int, seconds: Double) throws -> Row {
    let exchange = try ExchangeUnderTest(communicator, shards: shards, count: count)
    let pace = try communicator.seconds(exchange.ordered) + communicator.seconds(exchange.allReduce)
    let repetitions = min(2_000, max(5, Int(seconds / pace)))
    var row = Row(count: count)
    for _ in 0..<repetitions {
      row.ordered.add(try communicator.seconds(exchange.ordered))
      row.allReduce.add(try communicator.seconds(exchange.allReduce))
    }
    return row
  }

  /// Rows as JSON; times in seconds.
  func json(_ rows: [Row]) -> JSON {
    [
      "recipe": .string(recipe), "ranks": .integer(communicator.size), "shards": .integer(shards),
      "sizes": .array(
        rows.map { row in
          [
            "bytes": .integer(row.count * 4), "seconds_ordered": .number(row.ordered.median),
            "seconds_allreduce": .number(row.allReduce.median),
          ]
        }),
    ]
  }

  /// Rows as a table.
  func text(_ rows: [Row]) -> String {
    let header =
      "\(recipe), \(communicator.size) ranks, \(shards) shards; median milliseconds of the slowest rank\n"
      + "      MB    ordered sum + gather    all-reduce"
    return
      ([header]
      + rows.map { row in
        String(
          format: "%8.3f    %20.4f    %10.4f", Double(row.count) * 4e-6, row.ordered.median * 1e3,
          row.allReduce.median * 1e3)
      }).joined(separator: "\n")
  }
}

/// Buffers and plans for both ways of summing `count` floats.
private final class ExchangeUnderTest<C: Communicator> {
  private let communicator: C
  private let reduction: OrderedReduction<C>
  private let roots: [UnsafeMutablePointer<Float>]
  private let parameters: UnsafeMutablePointer<Float>
  private let count: Int

  init(_ communicator: C, shards: Int, count: Int) throws {
    self.communicator = communicator
    self.count = count
    reduction = try OrderedReduction(
      communicator, ownership: ShardOwnership(shards: shards, ranks: communicator.size), range: 0..<count)
    roots = reduction.localRoots.map { _ in Self.zeros(count) }
    parameters = Self.zeros(count)
  }

  deinit {
    for root in roots { root.deallocate() }
    parameters.deallocate()
  }

  func ordered() throws {
    try reduction.start(roots: roots.map { UnsafePointer($0) })
    try reduction.finish(into: parameters + reduction.owned.lowerBound)
    try reduction.startGather(parameters)
    try reduction.finishGather()
  }

  func allReduce() throws {
    try communicator.allReduceSum(UnsafeMutableBufferPointer(start: parameters, count: count))
  }

  private static func zeros(_ count: Int) -> UnsafeMutablePointer<Float> {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(64, count * 4), alignment: 64)
      .bindMemory(to: Float.self, capacity: count)
    memory.initialize(repeating: 0, count: count)
    return memory
  }
}
