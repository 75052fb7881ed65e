import CKernels
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

  package func backward(_ dy_BC: Matrix, _ pass: inout Pass) -> Matrix {
    switch output {
    case .linear(let layer): return hiddenBackward(backward(dy_BC, layer, layer.weight, &pass), &pass)
    case .cosine(let layer): return hiddenBackward(backward(dy_BC, layer, layer.weight, &pass), &pass)
    }
  }

  /// The last layer is the largest part of many models, and the first whose gradient is known.
  private func backward(
    _ dy_BC: Matrix, _ output: some Layer, _ first: Parameter, _ pass: inout Pass
  ) -> Matrix {
    let dh_BD = output.backward(dy_BC, &pass)
    pass.finishedGradients(from: first)
    return dh_BD
  }

  private func hiddenForward(_ e_BD: Matrix, _ pass: inout Pass) -> Matrix {
    switch hidden {
    case .none: return e_BD
    case .batchNorm(let norm): return norm.forward(e_BD, &pass)
    case .relu(let linear):
      let h_BD = linear.product(e_BD, &pass)
      pass.biasReLUDropout(h_BD, linear.bias!, probability: 0)
      pass.save(e_BD)
      pass.save(h_BD)
      return h_BD
    case .sigmoid(let linear):
      let h_BD = linear.product(e_BD, &pass)
      kernel_bias_sigmoid(h_BD.rows, h_BD.columns, pass[linear.bias!].base, h_BD.base)
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
    case .relu(let linear):
      let h_BD = pass.restore(), e_BD = pass.restore()
      pass.biasReLUDropoutBackward(dh_BD, result: h_BD, linear.bias!, probability: 0)
      linear.weightGradient(dh_BD, e_BD, &pass)
      pass.finishedGradients(from: linear.weight)
      return linear.inputGradient(dh_BD, &pass)
    case .sigmoid(let linear):
      let h_BD = pass.restore(), e_BD = pass.restore()
      kernel_sigmoid_backward(
        h_BD.rows, h_BD.columns, h_BD.base, dh_BD.base, dh_BD.base, pass.gradient(of: linear.bias!).base)
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
