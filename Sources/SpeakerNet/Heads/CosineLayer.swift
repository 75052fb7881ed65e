import CKernels
import TensorCore

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
    pass.clock.measure(.products) { multiply(unit_BD, transposed: unitWeight_CD, into: y_BC) }
    kernel_scale(y_BC.count, scale, y_BC.base, y_BC.base)
    return y_BC
  }

  package func backward(_ dy_BC: Matrix, _ pass: inout Pass) -> Matrix {
    let weightLengths_C = pass.restore(), unitWeight_CD = pass.restore()
    let lengths_B = pass.restore(), unit_BD = pass.restore()
    kernel_scale(dy_BC.count, scale, dy_BC.base, dy_BC.base)
    let dunit_BD = pass.matrix(unit_BD.rows, unit_BD.columns)
    let dunitWeight_CD = pass.matrix(weight.rows, weight.columns)
    pass.clock.measure(.products) {
      multiply(dy_BC, unitWeight_CD, into: dunit_BD)
      multiply(transposed: dy_BC, unit_BD, into: dunitWeight_CD)
    }
    pass.clock.measure(.normalization) {
      kernel_normalize_rows_backward(
        weight.rows, weight.columns, unitWeight_CD.base, weightLengths_C.base, dunitWeight_CD.base,
        pass.isAccumulating ? 1 : 0, pass.gradient(of: weight).base)
      kernel_normalize_rows_backward(
        unit_BD.rows, unit_BD.columns, unit_BD.base, lengths_B.base, dunit_BD.base, 0, dunit_BD.base)
    }
    return dunit_BD
  }

  private func normalized(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    let unit_ND = pass.matrix(x_ND.rows, x_ND.columns)
    let lengths_N = pass.matrix(1, x_ND.rows)
    pass.clock.measure(.normalization) {
      kernel_normalize_rows(x_ND.rows, x_ND.columns, x_ND.base, unit_ND.base, lengths_N.base)
    }
    pass.save(unit_ND)
    pass.save(lengths_N)
    return unit_ND
  }
}
