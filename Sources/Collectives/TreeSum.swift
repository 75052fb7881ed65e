/// The element-wise sum of k pieces in the order of the fixed tree, in one pass over memory.
///
/// The additions run block by block, with intermediate sums in a kilobyte of stack: each piece is read once and
/// the result written once, whatever k is. Several threads may sum disjoint elements with one `TreeSum`.
public struct TreeSum: Sendable {
  /// How many pieces are summed.
  public let pieces: Int

  /// `left + right` into `result`, each a piece, an intermediate sum, or (for the last step's result) the output.
  private struct Step {
    let left: Operand
    let right: Operand
    let result: Operand
  }

  private enum Operand {
    case piece(Int)
    case intermediate(Int)
    case output
  }

  private let steps: [Step]
  /// Whether every sum is rounded to bfloat16.
  private let isRounding: Bool
  /// The elements a step handles at a time, so that all intermediate sums fit the scratch memory.
  private let blockSize: Int
  /// Small enough that `withUnsafeTemporaryAllocation` takes it from the stack.
  private static let scratchFloats = 256

  /// A sum of the nodes of `tree` in `nodes`, left to right, which must make up a whole node together.
  ///
  /// - Parameter precision: what every node of the tree is rounded to.
  public init(of nodes: [Range<Int>], in tree: ShardTree, precision: NodePrecision = .f32) {
    let merges = tree.merges(of: nodes)
    precondition(merges.count == nodes.count - 1, "\(nodes) do not make up one node of the tree")
    var holders = nodes.indices.map { Operand.piece($0) }
    var free: [Int] = []
    var intermediates = 0
    var steps: [Step] = []
    for (index, merge) in merges.enumerated() {
      let (left, right) = (holders[merge.into], holders[merge.from])
      for case .intermediate(let number) in [left, right] { free.append(number) }
      if index == merges.count - 1 {
        steps.append(Step(left: left, right: right, result: .output))
      } else {
        if free.isEmpty {
          free.append(intermediates)
          intermediates += 1
        }
        let result = Operand.intermediate(free.removeLast())
        steps.append(Step(left: left, right: right, result: result))
        holders[merge.into] = result
      }
    }
    self.steps = steps
    isRounding = precision == .bf16
    pieces = nodes.count
    blockSize = intermediates == 0 ? Int.max : Self.scratchFloats / intermediates / 16 * 16
    precondition(blockSize > 0, "a tree this deep needs more scratch memory")
  }

  /// Sums elements `offset ..< offset + count` of every piece into `output[0 ..< count]`.
  ///
  /// `output` may be one of the pieces at `offset` itself, but must not overlap one in any other way.
  public func callAsFunction(
    _ pieces: UnsafePointer<UnsafePointer<Float>>, offset: Int = 0, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) {
    guard count > 0 else { return }
    guard !steps.isEmpty else {
      if UnsafePointer(output) != pieces[0] + offset { output.update(from: pieces[0] + offset, count: count) }
      return
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.scratchFloats) { scratch in
      // `[0 ..< 256]` of trivial floats: written by a step before the next one reads it.
      let scratch = scratch.baseAddress.unsafelyUnwrapped
      var start = 0
      while start < count {
        let block = min(blockSize, count - start)
        for step in steps {
          let result: UnsafeMutablePointer<Float> =
            if case .intermediate(let number) = step.result { scratch + number * blockSize } else {
              output + start
            }
          let left = pointer(step.left, pieces, offset + start, scratch)
          let right = pointer(step.right, pieces, offset + start, scratch)
          if isRounding {
            BFloat16.add(left, right, into: result, count: block)
          } else {
            add(left, right, into: result, count: block)
          }
        }
        start += block
      }
    }
  }

  @inline(__always)
  private func pointer(
    _ operand: Operand, _ pieces: UnsafePointer<UnsafePointer<Float>>, _ element: Int,
    _ scratch: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<Float> {
    switch operand {
    case .piece(let number): pieces[number] + element
    case .intermediate(let number): UnsafePointer(scratch + number * blockSize)
    case .output: preconditionFailure("only a result is the output")
    }
  }
}

/// `result[i] = left[i] + right[i]`; `result` may be `left` or `right` itself.
///
/// Sixteen at a time: one AVX-512, two AVX or four SSE additions, which is enough to be bound by memory.
public func add(
  _ left: UnsafePointer<Float>, _ right: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>,
  count: Int
) {
  var i = 0
  while i + 16 <= count {
    let l = UnsafeRawPointer(left + i).loadUnaligned(as: SIMD16<Float>.self)
    let r = UnsafeRawPointer(right + i).loadUnaligned(as: SIMD16<Float>.self)
    UnsafeMutableRawPointer(result + i).storeBytes(of: l + r, as: SIMD16<Float>.self)
    i += 16
  }
  while i < count {
    result[i] = left[i] + right[i]
    i += 1
  }
}
