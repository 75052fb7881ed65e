import TensorCore

/// `y_NO = x_NI · weight_OIᵀ + bias_O`
///
/// Encoders mostly use its parts: the product alone, whose bias joins the operation that follows it over the same
/// memory, and the two products of the backward pass.
package struct Linear: Layer {
  /// [O, I]
  package let weight: Parameter
  /// [O], or none.
  package let bias: Parameter?

  /// Registers `name.weight` and, unless `hasBias` is false, `name.bias`, drawn as `nn.Linear` draws them.
  package init(
    _ name: String, inputs: Int, outputs: Int, hasBias: Bool = true, in layout: inout ParameterLayout
  ) {
    let bound = 1 / Float(inputs).squareRoot()
    weight = layout.add("\(name).weight", [outputs, inputs], .uniform(bound: bound))
    bias = hasBias ? layout.add("\(name).bias", [outputs], .uniform(bound: bound)) : nil
  }

  /// A layer over parameters that are registered elsewhere.
  package init(weight: Parameter, bias: Parameter?) {
    self.weight = weight
    self.bias = bias
  }

  package func forward(_ x_NI: Matrix, _ pass: inout Pass) -> Matrix {
    let y_NO = product(x_NI, &pass)
    if let bias { pass.addBias(pass[bias], to: y_NO) }
    pass.save(x_NI)
    return y_NO
  }

  package func backward(_ dy_NO: Matrix, _ pass: inout Pass) -> Matrix {
    parameterGradients(dy_NO, &pass)
    return inputGradient(dy_NO, &pass)
  }

  /// ``backward(_:_:)`` for the first layer, whose input needs no gradient.
  func parameterGradients(_ dy_NO: Matrix, _ pass: inout Pass) {
    let x_NI = pass.restore()
    if let bias { pass.addBiasGradient(dy_NO, to: pass.gradient(of: bias)) }
    weightGradient(dy_NO, x_NI, &pass)
  }

  package func work(samples: Int, frames: Int) -> Work { work(rows: samples * frames) }

  /// The three products for N rows; the first layer's input needs no gradient.
  func work(rows N: Int, givesInputGradient: Bool = true) -> Work {
    let (O, I) = (weight.rows, weight.columns)
    var work = Work()
    work.addForward(Work.Product(.secondTransposed, N, O, depth: I))
    work.addBackward(Work.Product(.firstTransposed, O, I, depth: N))
    if givesInputGradient { work.addBackward(Work.Product(.plain, N, I, depth: O)) }
    return work
  }

  /// `x · weightᵀ`, without the bias; saves nothing.
  func product(_ x_NI: Matrix, _ pass: inout Pass) -> Matrix {
    let y_NO = pass.matrix(x_NI.rows, weight.rows)
    pass.multiply(x_NI, transposed: pass[weight], into: y_NO)
    return y_NO
  }

  /// The same, to be kept for the backward pass.
  func keptProduct(_ x_NI: Matrix, _ pass: inout Pass) -> Matrix {
    let y_NO = pass.kept(x_NI.rows, weight.rows)
    pass.multiply(x_NI, transposed: pass[weight], into: y_NO)
    return y_NO
  }

  /// `dweight = dyᵀ · x`
  func weightGradient(_ dy_NO: Matrix, _ x_NI: Matrix, _ pass: inout Pass) {
    weightGradient(dy_NO, x_NI, rows: 0..<weight.rows, &pass)
  }

  /// The same for some of the weight's rows.
  func weightGradient(_ dy_NO: Matrix, _ x_NI: Matrix, rows: Range<Int>, _ pass: inout Pass) {
    pass.multiply(
      transposed: dy_NO.columns(rows), x_NI, into: pass.gradient(of: weight).rows(rows),
      accumulating: pass.isAccumulating)
    pass.spareMoment()
  }

  /// `dx = dy · weight`
  func inputGradient(_ dy_NO: Matrix, _ pass: inout Pass) -> Matrix {
    let dx_NI = pass.matrix(dy_NO.rows, weight.columns)
    pass.multiply(dy_NO, pass[weight], into: dx_NI)
    pass.spareMoment()
    return dx_NI
  }

  /// `dx += dy · weight`: where a residual connection brought a gradient already.
  func addInputGradient(_ dy_NO: Matrix, to dx_NI: Matrix, _ pass: inout Pass) {
    pass.multiply(dy_NO, pass[weight], into: dx_NI, accumulating: true)
    pass.spareMoment()
  }
}

/// `y = a ∘ σ(b)` for x = [a, b] side by side, after adding a bias (Dauphin et al., arXiv 1612.08083).
package struct GatedLinearUnit: Sendable {
  /// The bias of the product before it, [2D]; none where that has none.
  let bias: Parameter?

  package init(bias: Parameter?) { self.bias = bias }

  /// x_N2D, which keeps its bias, to y_ND.
  package func forward(_ x_N2D: Matrix, _ pass: inout Pass) -> Matrix {
    let y_ND = pass.matrix(x_N2D.rows, x_N2D.columns / 2)
    let bias_2D = bias.map { pass[$0] }
    pass.biasGLU(x_N2D, bias_2D, into: y_ND)
    pass.save(x_N2D)
    return y_ND
  }

  /// The gradient before the bias, [N, 2D], and the output once more, in dy's memory, so that nobody need keep it.
  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> (dx_N2D: Matrix, y_ND: Matrix) {
    let x_N2D = pass.restore()
    let dx_N2D = pass.matrix(x_N2D.rows, x_N2D.columns)
    let dbias_2D = bias.map { pass.gradient(of: $0) }
    pass.biasGLUBackward(dy_ND, input: x_N2D, into: dx_N2D, dbias: dbias_2D)
    return (dx_N2D, dy_ND)
  }
}
