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
  /// The products of both passes over `samples` of `frames` each, and what else counts; nothing, unless a layer has
  /// products.
  func work(samples: Int, frames: Int) -> Work
}

extension Layer {
  package func work(samples: Int, frames: Int) -> Work { Work() }
}

/// Layers one after another, each with weights of its own.
package struct Stack<Element: Layer>: Layer {
  let layers: [Element]

  package init(layers: [Element]) { self.layers = layers }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    var x_ND = x_ND
    for layer in layers { x_ND = pass.scoped(resultLike: x_ND) { layer.forward(x_ND, &$0) } }
    return x_ND
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    var dy_ND = dy_ND
    // By index: a reversed collection's iterator would be allocated.
    var index = layers.count
    while index > 0 {
      index -= 1
      dy_ND = pass.scopedBackward(like: dy_ND) { layers[index].backward(dy_ND, &$0) }
    }
    return dy_ND
  }

  package func work(samples: Int, frames: Int) -> Work {
    layers.reduce(Work()) { $0 + $1.work(samples: samples, frames: frames) }
  }
}

/// One layer applied several times with the same weights, as report 004 puts one object into a list.
///
/// The weights' gradients are summed in a fixed order: that of the last application first.
package struct Repeated<Element: Layer>: Layer {
  let layer: Element
  let times: Int

  package init(layer: Element, times: Int) {
    self.layer = layer
    self.times = times
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    var x_ND = x_ND
    for _ in 0..<times { x_ND = pass.scoped(resultLike: x_ND) { layer.forward(x_ND, &$0) } }
    return x_ND
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    var dy_ND = dy_ND
    for use in (0..<times).reversed() {
      pass.use(isFirst: use == times - 1, isLast: use == 0) { pass in
        dy_ND = pass.scopedBackward(like: dy_ND) { layer.backward(dy_ND, &$0) }
      }
    }
    return dy_ND
  }

  package func work(samples: Int, frames: Int) -> Work {
    layer.work(samples: samples, frames: frames) * times
  }
}
