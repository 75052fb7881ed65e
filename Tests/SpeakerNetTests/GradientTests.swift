import SpeakerNet
import TensorCore
import Testing

/// Every part of the network against finite differences, dropout on.
@Suite("Finite differences") struct GradientTests {
  static let tolerance = 1e-3

  func expectRight(_ check: GradientCheck, _ comment: String = "") {
    for comparison in check.comparisons() {
      #expect(
        comparison.error <= Self.tolerance,
        "\(comment) \(comparison.name): \(comparison.byHand) by hand, \(comparison.numerical) numerically")
    }
  }

  @Test("a linear layer's gradients are those of its differences, with and without a bias") func linear() {
    for hasBias in [true, false] {
      expectRight(
        GradientCheck(inputs: 7) { layout in
          .init(Linear("linear", inputs: 7, outputs: 5, hasBias: hasBias, in: &layout))
        })
    }
  }

  @Test("LayerNorm's gradients are those of its differences") func layerNorm() {
    expectRight(GradientCheck(inputs: 9) { .init(LayerNorm("norm", width: 9, in: &$0)) })
  }

  @Test(
    "LayerNorm of a sum with a dropped-out branch gives both their gradients",
    arguments: [0, 0.25] as [Float])
  func residualNorm(probability: Float) {
    // The input is [x, branch] side by side, so that both gradients are looked at.
    let D = 6
    expectRight(
      GradientCheck(inputs: 2 * D) { layout in
        let norm = LayerNorm("norm", width: D, in: &layout)
        let bias = layout.add("branch.bias", [D], .zeros)
        return .init(
          forward: { x, pass in
            let (left, right) = halves(of: x, &pass)
            return norm.addingForward(left, branch: right, bias, probability: probability, &pass)
          },
          backward: { dy, pass in
            let (dx, dbranch) = norm.addingBackward(dy, bias, probability: probability, &pass)
            return joined(dx, dbranch, &pass)
          })
      })
  }

  @Test(
    "attention's gradients are those of its differences, with packed and with separate weights",
    arguments: [1, 2, 4], [0, 0.25] as [Float])
  func attention(heads: Int, dropout: Float) {
    for isPacked in [true, false] {
      let check = GradientCheck(inputs: 8) { layout in
        let attention =
          isPacked
          ? Attention(multihead: "attention", width: 8, heads: heads, dropout: dropout, in: &layout)
          : Attention(separate: "attention", width: 8, heads: heads, dropout: dropout, in: &layout)
        return .init(
          forward: { x, pass in
            pass.save(x)
            let y = attention.forward(x, &pass)
            pass.addBiasForTest(attention.outputBias, to: y)
            return y
          },
          backward: { dy, pass in
            pass.addBiasGradientForTest(of: attention.outputBias, from: dy)
            let dx = pass.matrix(dy.rows, dy.columns)
            dx.clear()
            attention.backward(dy, addingTo: dx, &pass)
            return dx
          })
      }
      expectRight(check, isPacked ? "packed" : "separate")
    }
  }

  @Test(
    "a depthwise convolution's gradients are those of its differences, also wider than its input",
    arguments: [1, 4, 31]) func depthwiseConvolution(frames: Int)
  {
    for kernel in [1, 3, 31] {
      expectRight(
        GradientCheck(frames: frames, inputs: 5) {
          .init(DepthwiseConvolution("depthwise", width: 5, kernel: kernel, in: &$0))
        }, "kernel \(kernel)")
    }
  }

  @Test(
    "a convolution of width three has the gradients of its differences, also at the ends",
    arguments: [1, 2, 6]) func convolutionOfWidthThree(frames: Int)
  {
    expectRight(
      GradientCheck(frames: frames, inputs: 5) { .init(Convolution3("conv", inputs: 5, outputs: 4, in: &$0)) }
    )
  }

  @Test("a gated linear unit's gradients are those of its differences", arguments: [true, false])
  func gatedLinearUnit(hasBias: Bool) {
    expectRight(
      GradientCheck(inputs: 10) { layout in
        let gate = GatedLinearUnit(bias: hasBias ? layout.add("gate.bias", [10], .zeros) : nil)
        return .init(forward: gate.forward, backward: { gate.backward($0, &$1).dx_N2D })
      })
  }

  @Test("BatchNorm's gradients are those of its differences over the whole batch") func batchNorm() {
    expectRight(GradientCheck(samples: 3, inputs: 6) { .init(BatchNorm("norm", width: 6, in: &$0)) })
  }

  @Test(
    "a conformer's feed-forward part has the gradients of its differences", arguments: [0, 0.25] as [Float])
  func conformerFeedForward(dropout: Float) {
    expectRight(
      GradientCheck(inputs: 6) {
        let part = ConformerFeedForward("ffn", width: 6, feedforward: 11, dropout: dropout, in: &$0)
        return .init(adding: part.forward, backward: part.backward)
      })
  }

  @Test(
    "a conformer's convolution part has the gradients of its differences", arguments: [0, 0.25] as [Float])
  func conformerConvolution(dropout: Float) {
    expectRight(
      GradientCheck(samples: 3, inputs: 6) {
        let part = ConformerConvolution("conv", width: 6, kernel: 5, dropout: dropout, in: &$0)
        return .init(adding: part.forward, backward: part.backward)
      })
  }

  @Test(
    "every encoder's gradients are those of its differences",
    arguments: ModelConfiguration.EncoderKind.allCases, [0, 0.2] as [Float])
  func encoder(kind: ModelConfiguration.EncoderKind, dropout: Float) {
    var encoder = ModelConfiguration.Encoder()
    encoder.kind = kind
    encoder.layers = 2
    encoder.heads = 2
    encoder.feedforward = 12
    encoder.kernel = 3
    encoder.dropout = dropout
    expectRight(
      GradientCheck(samples: 3, inputs: 8, kinks: kind == .conformer ? [] : ["linear1", "feedforward.0"]) {
        .init(Encoder(encoder, width: 8, in: &$0))
      })
  }

  @Test(
    "every encoder's layer has the gradients of its differences",
    arguments: [("transformer", 1), ("shared", 3), ("convolution", 3), ("conformer", 1)])
  func layer(name: String, heads: Int) {
    var encoder = ModelConfiguration.Encoder()
    encoder.heads = heads
    encoder.feedforward = 10
    encoder.kernel = 5
    encoder.dropout = 0.2
    let check = GradientCheck(inputs: 6, kinks: name == "conformer" ? [] : ["linear1", "feedforward.0"]) {
      layout in
      switch name {
      case "transformer":
        .init(
          TransformerLayer("layer", width: 6, heads: heads, feedforward: 10, dropout: 0.2, in: &layout))
      case "shared": .init(SharedTransformerLayer("layer", width: 6, encoder, in: &layout))
      case "convolution": .init(ConvTransformerLayer("layer", width: 6, encoder, in: &layout))
      default: .init(ConformerLayer("layer", width: 6, encoder, in: &layout))
      }
    }
    expectRight(check, name)
  }

  @Test(
    "every pooling's gradients are those of its differences, also over a single frame",
    arguments: ModelConfiguration.PoolingKind.allCases, [1, 6])
  func pooling(kind: ModelConfiguration.PoolingKind, frames: Int) {
    var pooling = ModelConfiguration.Pooling()
    pooling.kind = kind
    pooling.attention = 4
    expectRight(GradientCheck(frames: frames, inputs: 7) { .init(Pooling(pooling, width: 7, in: &$0)) })
  }

  @Test(
    "every head's gradients are those of its differences, for either loss",
    arguments: ModelConfiguration.Head.allCases, ModelConfiguration.LossKind.allCases)
  func head(head: ModelConfiguration.Head, loss: ModelConfiguration.LossKind) {
    var model = ModelConfiguration()
    model.dModel = 6
    model.head = head
    model.loss.kind = loss
    expectRight(
      // A head sees one row a sample.
      GradientCheck(samples: 8, frames: 1, inputs: 6, kinks: head == .mlpReLU ? ["pred_layer.0"] : []) {
        .init(Head(model, speakers: 5, in: &$0))
      })
  }

  @Test("a cosine layer's gradients are those of its differences") func cosineLayer() {
    expectRight(
      GradientCheck(samples: 6, frames: 1, inputs: 5) {
        .init(CosineLayer("cosine", inputs: 5, outputs: 7, scale: 30, in: &$0))
      })
  }

  @Test("every loss's gradient is that of its differences", arguments: ModelConfiguration.LossKind.allCases)
  func loss(kind: ModelConfiguration.LossKind) {
    var configuration = ModelConfiguration.Loss()
    configuration.kind = kind
    configuration.scale = 4
    let loss = Loss(configuration)
    let labels: [Int32] = [0, 4, 2, 2, 1, 3]
    // The loss is one number: a matrix of one element, whose gradient is r times the loss's own.
    let check = GradientCheck(samples: 6, frames: 1, inputs: 5) { _ in
      .init(
        forward: { y, pass in
          let dy = pass.matrix(y.rows, y.columns)
          let mean = pass.matrix(1, 1)
          mean[0, 0] = Float(loss(y, labels: labels, gradient: dy, pass).loss / 6)
          pass.save(dy)
          return mean
        },
        backward: { r, pass in
          let dy = pass.restore()
          for index in 0..<dy.count { dy.base[index] *= r[0, 0] }
          return dy
        })
    }
    expectRight(check)
  }

  @Test("the check itself finds a gradient that is one percent wrong") func control() {
    for part in ["input", "weight", "bias"] {
      let check = GradientCheck(inputs: 7) { layout in
        let linear = Linear("linear", inputs: 7, outputs: 5, in: &layout)
        return .init(
          forward: linear.forward,
          backward: { dy, pass in
            let dx = linear.backward(dy, &pass)
            let wrong =
              switch part {
              case "input": dx
              case "weight": pass.gradient(of: linear.weight)
              default: pass.gradient(of: linear.bias!)
              }
            for index in 0..<wrong.count { wrong.base[index] *= 1.01 }
            return dx
          })
      }
      #expect(check.comparisons()[0].error > Self.tolerance)
    }
  }
}

/// The left and the right half of a matrix's columns, each dense.
private func halves(of x: Matrix, _ pass: inout Pass) -> (left: Matrix, right: Matrix) {
  let D = x.columns / 2
  let left = pass.matrix(x.rows, D), right = pass.matrix(x.rows, D)
  for row in 0..<x.rows {
    for column in 0..<D {
      left[row, column] = x[row, column]
      right[row, column] = x[row, D + column]
    }
  }
  return (left, right)
}

/// Two matrices side by side.
private func joined(_ left: Matrix, _ right: Matrix, _ pass: inout Pass) -> Matrix {
  let D = left.columns
  let both = pass.matrix(left.rows, 2 * D)
  for row in 0..<left.rows {
    for column in 0..<D {
      both[row, column] = left[row, column]
      both[row, D + column] = right[row, column]
    }
  }
  return both
}

extension Pass {
  /// Every row of `x` plus a bias, element by element.
  fileprivate func addBiasForTest(_ bias: Parameter, to x: Matrix) {
    for row in 0..<x.rows { for column in 0..<x.columns { x[row, column] += self[bias].base[column] } }
  }

  fileprivate func addBiasGradientForTest(of bias: Parameter, from dy: Matrix) {
    let gradient = gradient(of: bias)
    for row in 0..<dy.rows {
      for column in 0..<dy.columns { gradient.base[column] += dy[row, column] }
    }
  }
}
