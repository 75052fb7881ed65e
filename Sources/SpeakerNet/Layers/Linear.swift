import CKernels
import TensorCore

/// `y_NO = x_NI · weight_OIᵀ + bias_O`
///
/// Encoders mostly use its parts: the product alone, whose bias joins the pass that follows it over the same
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
    if let bias { pass.addBias(bias, to: y_NO) }
    pass.save(x_NI)
    return y_NO
  }

  package func backward(_ dy_NO: Matrix, _ pass: inout Pass) -> Matrix {
    let x_NI = pass.restore()
    if let bias { pass.addBiasGradient(of: bias, from: dy_NO) }
    weightGradient(dy_NO, x_NI, &pass)
    return inputGradient(dy_NO, &pass)
  }

  /// `x · weightᵀ`, without the bias; saves nothing.
  func product(_ x_NI: Matrix, _ pass: inout Pass) -> Matrix {
    product(x_NI, into: pass.matrix(x_NI.rows, weight.rows), pass)
  }

  /// The same, to be kept for the backward pass.
  func keptProduct(_ x_NI: Matrix, _ pass: inout Pass) -> Matrix {
    product(x_NI, into: pass.kept(x_NI.rows, weight.rows), pass)
  }

  private func product(_ x_NI: Matrix, into y_NO: Matrix, _ pass: Pass) -> Matrix {
    pass.clock.measure(.products) { multiply(x_NI, transposed: pass[weight], into: y_NO) }
    return y_NO
  }

  /// `dweight = dyᵀ · x`
  func weightGradient(_ dy_NO: Matrix, _ x_NI: Matrix, _ pass: inout Pass) {
    weightGradient(dy_NO, x_NI, rows: 0..<weight.rows, &pass)
  }

  /// The same for some of the weight's rows.
  func weightGradient(_ dy_NO: Matrix, _ x_NI: Matrix, rows: Range<Int>, _ pass: inout Pass) {
    let dweight_OI = pass.gradient(of: weight).rows(rows)
    pass.clock.measure(.products) {
      multiply(transposed: dy_NO.columns(rows), x_NI, into: dweight_OI, accumulating: pass.isAccumulating)
    }
    pass.spareMoment()
  }

  /// `dx = dy · weight`
  func inputGradient(_ dy_NO: Matrix, _ pass: inout Pass) -> Matrix {
    let dx_NI = pass.matrix(dy_NO.rows, weight.columns)
    pass.clock.measure(.products) { multiply(dy_NO, pass[weight], into: dx_NI) }
    pass.spareMoment()
    return dx_NI
  }

  /// `dx += dy · weight`: where a residual connection brought a gradient already.
  func addInputGradient(_ dy_NO: Matrix, to dx_NI: Matrix, _ pass: inout Pass) {
    pass.clock.measure(.products) { multiply(dy_NO, pass[weight], into: dx_NI, accumulating: true) }
    pass.spareMoment()
  }
}
