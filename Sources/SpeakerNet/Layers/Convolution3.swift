import CKernels
import TensorCore

/// Convolution of width 3 over time without bias, padded by a frame of zeros: `Conv1d(I, O, 3, padding: 1)`.
///
/// Each frame with its neighbours is a row of 3·I numbers, so the convolution is one product.
package struct Convolution3: Layer {
  /// [O, I, 3], a matrix [O, I·3].
  package let weight: Parameter
  private let inputs: Int

  /// Registers `name.weight`, drawn as `nn.Conv1d` draws it.
  package init(_ name: String, inputs: Int, outputs: Int, in layout: inout ParameterLayout) {
    weight = layout.add(
      "\(name).weight", [outputs, inputs, 3], .uniform(bound: 1 / Float(3 * inputs).squareRoot()))
    self.inputs = inputs
  }

  package func forward(_ x_NI: Matrix, _ pass: inout Pass) -> Matrix {
    let windows_N3I = pass.matrix(x_NI.rows, 3 * inputs)
    let T = pass.frames
    pass.clock.measure(.convolution) {
      for sample in 0..<pass.samples {
        kernel_windows3(
          T, inputs, x_NI.base + sample * T * inputs, windows_N3I.base + sample * T * 3 * inputs)
      }
    }
    let y_NO = pass.matrix(x_NI.rows, weight.rows)
    let weight_O3I = tapMajorWeight(&pass)
    pass.clock.measure(.products) { multiply(windows_N3I, transposed: weight_O3I, into: y_NO) }
    pass.save(windows_N3I)
    return y_NO
  }

  package func backward(_ dy_NO: Matrix, _ pass: inout Pass) -> Matrix {
    let windows_N3I = pass.restore()
    let dweight_O3I = pass.matrix(weight.rows, 3 * inputs)
    let dwindows_N3I = pass.matrix(dy_NO.rows, 3 * inputs)
    let weight_O3I = tapMajorWeight(&pass)
    pass.clock.measure(.products) {
      multiply(transposed: dy_NO, windows_N3I, into: dweight_O3I)
      multiply(dy_NO, weight_O3I, into: dwindows_N3I)
    }
    storeGradient(dweight_O3I, pass)
    let dx_NI = pass.matrix(dy_NO.rows, inputs)
    let T = pass.frames
    pass.clock.measure(.convolution) {
      for sample in 0..<pass.samples {
        kernel_windows3_backward(
          T, inputs, dwindows_N3I.base + sample * T * 3 * inputs, dx_NI.base + sample * T * inputs)
      }
    }
    return dx_NI
  }

  /// [O, I, 3] → [O, 3, I]: the order of a window's row.
  private func tapMajorWeight(_ pass: inout Pass) -> Matrix {
    let weight_O3I = pass.matrix(weight.rows, 3 * inputs)
    let stored = pass[weight].base
    for output in 0..<weight.rows {
      kernel_transpose(inputs, 3, stored + output * 3 * inputs, weight_O3I.base + output * 3 * inputs)
    }
    return weight_O3I
  }

  private func storeGradient(_ dweight_O3I: Matrix, _ pass: Pass) {
    let stored = pass.gradient(of: weight)
    let row = pass.matrix(1, 3 * inputs)
    for output in 0..<weight.rows {
      kernel_transpose(3, inputs, dweight_O3I.base + output * 3 * inputs, row.base)
      let target = stored.rows(output..<output + 1)
      if pass.isAccumulating { pass.add(row, to: target) } else { target.copy(from: row) }
    }
  }
}
