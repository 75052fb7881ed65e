import TensorCore

// Names carry shapes: N rows (frames of all samples of a slice), B samples, T frames of one, D model width,
// F feed-forward width, I inputs, O outputs, C speakers, H heads. `x_ND` is a matrix of N rows and D columns.

/// A part of the network whose forward and backward pass are written out.
///
/// `backward` is called once after `forward`, in the reverse order of the layers, so that what was saved last is
/// restored first. It may overwrite `dy`, adds to or writes the gradients of the layer's parameters, and returns
/// the gradient of its input.
package protocol Layer: Sendable {
  /// The output for the input `x`, which is not changed.
  func forward(_ x: Matrix, _ pass: inout Pass) -> Matrix
  /// The input's gradient from the output's.
  func backward(_ dy: Matrix, _ pass: inout Pass) -> Matrix
}
