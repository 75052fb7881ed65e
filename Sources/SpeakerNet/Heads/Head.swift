import TensorCore

/// From the pooled vector to one logit a speaker: e_BD → y_BC. Two parts, the first of which may be missing.
package struct Head: Layer {
  private let hidden: Hidden
  private let output: Output

  private enum Hidden: Sendable {
    case none
    case relu(Linear)
    case sigmoid(Linear)
    case batchNorm(BatchNorm)
  }

  private enum Output: Sendable {
    case linear(Linear)
    case cosine(CosineLayer)
  }

  package init(_ model: ModelConfiguration, speakers: Int, in layout: inout ParameterLayout) {
    let width = model.dModel
    func perceptron(_ layout: inout ParameterLayout) -> Linear {
      Linear("pred_layer.0", inputs: width, outputs: width, in: &layout)
    }
    switch model.head {
    case .mlpReLU: hidden = .relu(perceptron(&layout))
    case .mlpSigmoid: hidden = .sigmoid(perceptron(&layout))
    case .linear: hidden = .none
    case .bnLinear: hidden = .batchNorm(BatchNorm("pred_layer.0", width: width, in: &layout))
    }
    let outputName = model.head.outputName
    switch model.loss.kind {
    case .crossEntropy: output = .linear(Linear(outputName, inputs: width, outputs: speakers, in: &layout))
    case .amSoftmax:
      output = .cosine(
        CosineLayer(outputName, inputs: width, outputs: speakers, scale: model.loss.scale, in: &layout))
    }
  }

  package func forward(_ e_BD: Matrix, _ pass: inout Pass) -> Matrix {
    let h_BD = hiddenForward(e_BD, &pass)
    switch output {
    case .linear(let layer): return layer.forward(h_BD, &pass)
    case .cosine(let layer): return layer.forward(h_BD, &pass)
    }
  }

  /// The last layer is the largest part of many models, and the first whose gradient is known.
  package func backward(_ dy_BC: Matrix, _ pass: inout Pass) -> Matrix {
    let dh_BD: Matrix
    switch output {
    case .linear(let layer):
      dh_BD = layer.backward(dy_BC, &pass)
      pass.finishedGradients(from: layer.weight)
    case .cosine(let layer):
      dh_BD = layer.backward(dy_BC, &pass)
      pass.finishedGradients(from: layer.weight)
    }
    return hiddenBackward(dh_BD, &pass)
  }

  /// A head sees one row a sample, however many frames there were.
  package func work(samples: Int, frames: Int) -> Work {
    let logits =
      switch output {
      case .linear(let layer): layer.work(samples: samples, frames: 1)
      case .cosine(let layer): layer.work(samples: samples, frames: 1)
      }
    switch hidden {
    case .none, .batchNorm: return logits
    case .relu(let linear), .sigmoid(let linear): return linear.work(samples: samples, frames: 1) + logits
    }
  }

  private func hiddenForward(_ e_BD: Matrix, _ pass: inout Pass) -> Matrix {
    switch hidden {
    case .none: return e_BD
    case .batchNorm(let norm): return norm.forward(e_BD, &pass)
    case .relu(let linear), .sigmoid(let linear):
      let h_BD = linear.product(e_BD, &pass)
      let bias_D = pass[linear.bias!]
      if case .relu = hidden {
        pass.biasReLUDropout(h_BD, bias_D, .none)
      } else {
        pass.biasSigmoid(h_BD, bias_D)
      }
      pass.save(e_BD)
      pass.save(h_BD)
      return h_BD
    }
  }

  private func hiddenBackward(_ dh_BD: Matrix, _ pass: inout Pass) -> Matrix {
    switch hidden {
    case .none: return dh_BD
    case .batchNorm(let norm):
      let de_BD = norm.backward(dh_BD, &pass)
      pass.finishedGradients(from: norm.weight)
      return de_BD
    case .relu(let linear), .sigmoid(let linear):
      let h_BD = pass.restore(), e_BD = pass.restore()
      let dbias_D = pass.gradient(of: linear.bias!)
      if case .relu = hidden {
        pass.biasReLUDropoutBackward(dh_BD, result: h_BD, .none, dbias: dbias_D)
      } else {
        pass.biasSigmoidBackward(dh_BD, result: h_BD, dbias: dbias_D)
      }
      linear.weightGradient(dh_BD, e_BD, &pass)
      pass.finishedGradients(from: linear.weight)
      return linear.inputGradient(dh_BD, &pass)
    }
  }
}

extension ModelConfiguration.Head {
  /// The name of the layer that gives one logit a speaker: its position in `nn.Sequential`.
  public var outputName: String {
    switch self {
    case .mlpReLU, .mlpSigmoid: "pred_layer.2"
    case .linear: "pred_layer"
    case .bnLinear: "pred_layer.1"
    }
  }
}

/// `y = scale · cos(x, weight_c)`: rows of x and of the weight divided by their lengths, no bias. The last layer
/// under AM-softmax (Wang, Cheng, Liu and Liu, arXiv 1801.05599).
package struct CosineLayer: Layer {
  /// [C, D]
  let weight: Parameter
  let scale: Float

  package init(_ name: String, inputs: Int, outputs: Int, scale: Float, in layout: inout ParameterLayout) {
    weight = layout.add("\(name).weight", [outputs, inputs], .uniform(bound: 1 / Float(inputs).squareRoot()))
    self.scale = scale
  }

  package func forward(_ x_BD: Matrix, _ pass: inout Pass) -> Matrix {
    let unit_BD = normalized(x_BD, &pass)
    let unitWeight_CD = normalized(pass[weight], &pass)
    let y_BC = pass.matrix(x_BD.rows, weight.rows)
    pass.multiply(unit_BD, transposed: unitWeight_CD, into: y_BC)
    pass.scale(y_BC, by: scale)
    return y_BC
  }

  package func backward(_ dy_BC: Matrix, _ pass: inout Pass) -> Matrix {
    let weightLengths_C = pass.restore(), unitWeight_CD = pass.restore()
    let lengths_B = pass.restore(), unit_BD = pass.restore()
    pass.scale(dy_BC, by: scale)
    let dunit_BD = pass.matrix(unit_BD.rows, unit_BD.columns)
    let dunitWeight_CD = pass.matrix(weight.rows, weight.columns)
    pass.multiply(dy_BC, unitWeight_CD, into: dunit_BD)
    pass.multiply(transposed: dy_BC, unit_BD, into: dunitWeight_CD)
    pass.normalizeRowsBackward(
      dunitWeight_CD, result: unitWeight_CD, lengths: weightLengths_C, into: pass.gradient(of: weight),
      accumulating: pass.isAccumulating)
    pass.normalizeRowsBackward(dunit_BD, result: unit_BD, lengths: lengths_B, into: dunit_BD)
    return dunit_BD
  }

  /// That of a linear layer.
  package func work(samples: Int, frames: Int) -> Work {
    Linear(weight: weight, bias: nil).work(samples: samples, frames: frames)
  }

  private func normalized(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let unit_ND = pass.matrix(x_ND.rows, x_ND.columns)
    let lengths_N = pass.matrix(1, x_ND.rows)
    pass.normalizeRows(x_ND, into: unit_ND, lengths: lengths_N)
    pass.save(unit_ND)
    pass.save(lengths_N)
    return unit_ND
  }
}
