import TensorCore
import Testing

/// What computes in these tests.
private struct Machine: MatrixOperations {
  let clock = PhaseClock()
}

/// What stands around the kernels, which have tests of their own: shapes, masks, and whose time it is.
@Suite("Operations on matrices") struct OperationsTests {
  private static let N = 6, D = 4, B = 2, T = 3, K = 3

  /// Every operation, by the phase that its time belongs to.
  private static let operations: [(phase: Phase, run: @Sendable (Machine, Arena) -> Void)] = [
    (.products, { $0.multiply(m($1, N, D), m($1, D, B), into: m($1, N, B)) }),
    (.products, { $0.multiply(m($1, N, D), transposed: m($1, B, D), into: m($1, N, B), accumulating: true) }),
    (.products, { $0.multiply(transposed: m($1, N, D), m($1, N, B), into: m($1, D, B)) }),
    (.activation, { $0.add(m($1, N, D), to: m($1, N, D)) }),
    (.activation, { $0.scale(m($1, N, D), by: 2) }),
    (.activation, { $0.addBias(m($1, 1, D), to: m($1, N, D)) }),
    (.activation, { $0.addBiasGradient(m($1, N, D), to: m($1, 1, D)) }),
    (.dropout, { $0.dropout(m($1, N, D), mask($1), into: m($1, N, D)) }),
    (.dropout, { $0.addBranch(m($1, N, D), m($1, 1, D), mask($1), to: m($1, N, D)) }),
    (.dropout, { $0.addBranchBackward(m($1, N, D), .none, into: m($1, N, D), dbias: m($1, 1, D)) }),
    (.activation, { $0.biasReLUDropout(m($1, N, D), m($1, 1, D), mask($1)) }),
    (
      .activation, { $0.biasReLUDropoutBackward(m($1, N, D), result: m($1, N, D), .none, dbias: m($1, 1, D)) }
    ),
    (.activation, { $0.biasSiLUDropout(m($1, N, D), m($1, 1, D), mask($1), into: m($1, N, D)) }),
    (
      .activation,
      {
        $0.biasSiLUDropoutBackward(
          m($1, N, D), input: m($1, N, D), mask($1), resultInto: m($1, N, D), dbias: m($1, 1, D))
      }
    ),
    (.activation, { $0.silu(m($1, N, D)) }),
    (.activation, { $0.siluBackward(m($1, N, D), input: m($1, N, D)) }),
    (.activation, { $0.biasGLU(m($1, N, 2 * D), m($1, 1, 2 * D), into: m($1, N, D)) }),
    (
      .activation,
      { $0.biasGLUBackward(m($1, N, D), input: m($1, N, 2 * D), into: m($1, N, 2 * D), dbias: nil) }
    ),
    (.activation, { $0.biasSigmoid(m($1, N, D), m($1, 1, D)) }),
    (.activation, { $0.biasSigmoidBackward(m($1, N, D), result: m($1, N, D), dbias: m($1, 1, D)) }),
    (.activation, { $0.biasTanh(m($1, N, D), m($1, 1, D)) }),
    (.activation, { $0.biasTanhBackward(m($1, N, D), result: m($1, N, D), dbias: m($1, 1, D)) }),
    (.softmax, { $0.softmax(m($1, N, D), temperature: 0.5, mask($1), dropped: m($1, N, D)) }),
    (.softmax, { $0.softmaxBackward(m($1, N, D), result: m($1, N, D)) }),
    (
      .softmax,
      {
        $0.crossEntropy(
          m($1, B, D), labels: [1, 3], losses: $1.floats(B), correct: $1.integers(B), gradient: nil, scale: 1)
      }
    ),
    (
      .normalization,
      {
        $0.layerNorm(
          m($1, N, D), m($1, 1, D), m($1, 1, D), epsilon: 1e-5, into: m($1, N, D), xhat: m($1, N, D),
          rstd: m($1, 1, N))
      }
    ),
    (
      .normalization,
      {
        $0.layerNormOfSum(
          m($1, N, D), branch: m($1, N, D), m($1, 1, D), mask($1), m($1, 1, D), m($1, 1, D), epsilon: 1e-5,
          into: m($1, N, D), rstd: m($1, 1, N))
      }
    ),
    (
      .normalization,
      {
        $0.layerNormBackward(
          m($1, N, D), xhat: m($1, N, D), rstd: m($1, 1, N), m($1, 1, D), dweight: m($1, 1, D),
          dbias: m($1, 1, D))
      }
    ),
    (.normalization, { $0.scaleAndShift(m($1, N, D), m($1, 1, D), m($1, 1, D), into: m($1, N, D)) }),
    (.normalization, { $0.columnSums(m($1, N, D), into: m($1, 1, D)) }),
    (.normalization, { $0.columnSquares(m($1, N, D), around: m($1, 1, D), into: m($1, 1, D)) }),
    (
      .normalization,
      {
        $0.batchNorm(
          m($1, N, D), mean: m($1, 1, D), rstd: m($1, 1, D), m($1, 1, D), m($1, 1, D), into: m($1, N, D))
      }
    ),
    (.normalization, { $0.batchNormSums(m($1, N, D), xhat: m($1, N, D), into: m($1, 2, D)) }),
    (
      .normalization,
      {
        $0.batchNormBackward(
          m($1, N, D), xhat: m($1, N, D), rstd: m($1, 1, D), m($1, 1, D), means: m($1, 2, D))
      }
    ),
    (.normalization, { $0.normalizeRows(m($1, N, D), into: m($1, N, D), lengths: m($1, 1, N)) }),
    (
      .normalization,
      {
        $0.normalizeRowsBackward(
          m($1, N, D), result: m($1, N, D), lengths: m($1, 1, N), into: m($1, N, D), accumulating: true)
      }
    ),
    (
      .convolution,
      {
        $0.depthwiseConvolution(
          m($1, N, D), m($1, K, D), nil, frames: T, padded: m($1, T + K - 1, D), into: m($1, N, D))
      }
    ),
    (
      .convolution,
      {
        $0.depthwiseWeightGradient(
          m($1, N, D), m($1, N, D), frames: T, padded: m($1, T + K - 1, D), into: m($1, K, D))
      }
    ),
    (.convolution, { $0.windows3(m($1, N, D), frames: T, into: m($1, N, 3 * D)) }),
    (.convolution, { $0.windows3Backward(m($1, N, 3 * D), frames: T, into: m($1, N, D)) }),
    (.convolution, { $0.transpose(m($1, N, D), into: m($1, D, N)) }),
    (.convolution, { $0.transposeRows(m($1, N, 3 * D), as: 3, D, into: m($1, N, 3 * D)) }),
    (.other, { $0.meanOverFrames(m($1, N, D), into: m($1, B, D)) }),
    (.other, { $0.meanOverFramesBackward(m($1, B, D), into: m($1, N, D)) }),
    (.other, { $0.weightedSumOverFrames(m($1, N, D), m($1, B, T), into: m($1, B, D)) }),
    (
      .other,
      {
        $0.weightedSumOverFramesBackward(
          m($1, B, D), m($1, N, D), m($1, B, T), dweights: m($1, B, T), into: m($1, N, D))
      }
    ),
  ]

  /// A matrix of ones.
  private static func m(_ arena: Arena, _ rows: Int, _ columns: Int) -> Matrix {
    let matrix = arena.matrix(rows, columns)
    for index in 0..<matrix.count { matrix.base[index] = 1 }
    return matrix
  }

  private static func mask(_ arena: Arena) -> DropoutMask {
    let keep = arena.bytes(N * D)
    for index in 0..<N * D { keep[index] = UInt8(index % 2) }
    return DropoutMask(keep: keep, probability: 0.5)
  }

  @Test("each takes time of its own phase, once", arguments: operations.indices) func phases(index: Int) {
    let (phase, run) = Self.operations[index]
    let machine = Machine()
    machine.clock.start(keepsIntervals: true)
    run(machine, Arena())
    #expect(machine.clock.intervals.map(\.phase) == [phase])
  }

  @Test("a clock that stands still hears nothing", arguments: operations.indices) func off(index: Int) {
    let machine = Machine()
    Self.operations[index].run(machine, Arena())
    #expect(machine.clock.intervals.isEmpty && machine.clock.totals.allSatisfy { $0 == 0 })
  }

  @Test("without a mask nothing is written and the input is the result") func withoutMask() {
    let arena = Arena()
    let x = Self.m(arena, 2, 3), y = Self.m(arena, 2, 3)
    for index in 0..<y.count { y.base[index] = 7 }
    #expect(Machine().dropout(x, .none, into: y).base == x.base)
    #expect(Machine().softmax(x, dropped: y).base == x.base)
    #expect((0..<y.count).allSatisfy { y.base[$0] == 7 })
  }

  @Test("a sample's mask does not depend on which samples are drawn with it") func maskOfASample() {
    let arena = Arena(), each = 21
    let stream = RandomStream(seed: 3, purpose: .dropout)
    let together = arena.bytes(3 * each), alone = arena.bytes(each)
    let mask = Machine().drawMask(together, count: 3 * each, samples: 4..<7, probability: 0.5, from: stream)
    _ = Machine().drawMask(alone, count: each, samples: 5..<6, probability: 0.5, from: stream)
    #expect((0..<each).allSatisfy { together[each + $0] == alone[$0] })
    // Of ones, what is kept is doubled; from the second sample on as much as alone.
    let x = Self.m(arena, 1, each), y = arena.matrix(1, each)
    Machine().dropout(x, mask.from(each), into: y)
    #expect((0..<each).allSatisfy { y.base[$0] == 2 * Float(alone[$0]) })
    #expect(Set(UnsafeBufferPointer(start: alone, count: each)) == [0, 1])
  }
}
