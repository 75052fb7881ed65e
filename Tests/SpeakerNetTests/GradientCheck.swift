import SpeakerNet
import TensorCore

/// A part of a network, and its backward pass put to the test: directional derivatives by hand against numerical
/// ones, along random directions of every parameter and of the input.
///
/// The differentiated number is `Σ r ∘ y` with random r, summed in double precision. The numerical derivative is
/// the five-point formula, whose error is of the fourth order. Long steps err where the function bends, short ones where single
/// precision rounds; a right gradient agrees with one of them to a few 1e-4, a wrong one with none. Where a ReLU has its kink no formula would do, so the
/// biases before it are drawn far from zero, on either side.
struct GradientCheck {
  /// What is computed; `backward` gives the gradient of the input.
  struct Subject {
    let forward: (_ x: Matrix, inout Pass) -> Matrix
    let backward: (_ dy: Matrix, inout Pass) -> Matrix

    init(
      forward: @escaping (_ x: Matrix, inout Pass) -> Matrix,
      backward: @escaping (_ dy: Matrix, inout Pass) -> Matrix
    ) {
      self.forward = forward
      self.backward = backward
    }

    /// A part that adds to its input, in its memory.
    init(
      adding forward: @escaping (_ x: Matrix, inout Pass) -> Void,
      backward: @escaping (_ dy: Matrix, inout Pass) -> Void
    ) {
      self.init(
        forward: { x, pass in
          let y = pass.matrix(x.rows, x.columns)
          y.copy(from: x)
          forward(y, &pass)
          return y
        },
        backward: { dy, pass in
          backward(dy, &pass)
          return dy
        })
    }

    init(_ layer: some Layer) { self.init(forward: layer.forward, backward: layer.backward) }
  }

  /// A derivative along one direction.
  struct Comparison {
    let name: String
    let byHand: Double
    /// With each of ``GradientCheck/steps``.
    let numerical: [Double]
    /// The length of the gradient, which is what a derivative along a random direction is like.
    let scale: Double

    var error: Double { numerical.map { abs(byHand - $0) / scale }.min() ?? .infinity }
  }

  static let steps: [Float] = [0.012, 0.006, 0.003]
  private static let directions = 3

  let samples: Int, frames: Int, inputs: Int
  private let dropout: RandomStream?
  private let layout: ParameterLayout
  private let state: ModelState
  private let subject: Subject
  private let workspace = Workspace()

  /// - Parameters:
  ///   - kinks: parts of the names of biases that a ReLU follows.
  ///   - dropout: whether dropout is on; the masks are then the same in every pass.
  init(
    samples: Int = 2, frames: Int = 5, inputs: Int, kinks: [String] = [], dropout: Bool = true,
    _ make: (inout ParameterLayout) -> Subject
  ) {
    self.samples = samples
    self.frames = frames
    self.inputs = inputs
    self.dropout = dropout ? RandomStream(seed: 11, purpose: .dropout, step: 3, shard: 1) : nil
    var layout = ParameterLayout()
    subject = make(&layout)
    layout.finish()
    self.layout = layout
    state = ModelState(layout: layout)
    state.initialize(seed: 5)
    for entry in layout.entries where entry.shape.count == 1 {
      let values = state.parameters + entry.parameter.offset
      let isBeforeKink = kinks.contains { entry.name.contains($0) } && entry.name.hasSuffix("bias")
      for (index, noise) in Self.normal(entry.parameter.count, 1000 + entry.parameter.index).enumerated() {
        // Norms start at ones and zeros, where a factor or a term that is missing would not show.
        values[index] = isBeforeKink ? (index % 3 == 0 ? -5 : 5) : values[index] + 0.3 * noise
      }
    }
  }

  /// The comparisons of every parameter and of the input, those with the largest errors first.
  func comparisons() -> [Comparison] {
    let x = Self.normal(samples * frames * inputs, 1)
    let (r, dx, gradient) = byHand(x)
    var comparisons: [Comparison] = []
    let whole = length(gradient) + length(dx)
    func compare(_ name: String, _ gradient: [Float], _ salt: Int, _ numerical: ([Float]) -> [Double]) {
      // What should be nothing at all (the gradient of a key's bias) is compared with everything else.
      let scale = max(length(gradient), 1e-2 * whole)
      for index in 0..<Self.directions {
        let direction = Self.normal(gradient.count, 7 * salt + index)
        let byHand = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        comparisons.append(
          Comparison(name: name, byHand: byHand, numerical: numerical(direction), scale: scale))
      }
    }
    compare("input", dx, 2) { direction in
      differentiate { h in
        value(zip(x, direction).map { $0 + h * $1 }, r)
      }
    }
    for entry in layout.entries where entry.isTrained {
      let place = entry.parameter.offset..<entry.parameter.offset + entry.parameter.count
      let start = Array(UnsafeBufferPointer(start: state.parameters + place.lowerBound, count: place.count))
      let values = state.parameters + place.lowerBound
      compare(entry.name, Array(gradient[place]), 100 + entry.parameter.index) { direction in
        defer { for index in start.indices { values[index] = start[index] } }
        return differentiate { h in
          for index in start.indices { values[index] = start[index] + h * direction[index] }
          return value(x, r)
        }
      }
    }
    return comparisons.sorted { $0.error > $1.error }
  }

  // MARK: Passes

  /// The random weights of the outputs, and the gradients of their sum.
  private func byHand(_ x: [Float]) -> (r: [Float], dx: [Float], gradient: [Float]) {
    // Whatever a backward pass does not write would show.
    var gradient = [Float](repeating: .nan, count: max(1, layout.trainedCount))
    for run in layout.vectorRuns { for index in run { gradient[index] = 0 } }
    return gradient.withUnsafeMutableBufferPointer { buffer in
      var pass = newPass(buffer.baseAddress!)
      let input = matrix(x, &pass)
      let y = subject.forward(input, &pass)
      let r = Self.normal(y.count, 3)
      let dx = subject.backward(matrix(r, rows: y.rows, &pass), &pass)
      precondition(input.count == dx.count, "the gradient of the input has another shape than the input")
      return (r, Array(UnsafeBufferPointer(start: dx.base, count: dx.count)), Array(buffer))
    }
  }

  private func value(_ x: [Float], _ r: [Float]) -> Double {
    var pass = newPass(nil)
    let y = subject.forward(matrix(x, &pass), &pass)
    var sum = 0.0
    for index in r.indices { sum += Double(r[index]) * Double(y.base[index]) }
    return sum
  }

  private func newPass(_ gradients: UnsafeMutablePointer<Float>?) -> Pass {
    Pass(
      samples: samples, frames: frames, globalSamples: samples, mode: .training, state: state,
      gradients: gradients, workspace: workspace, dropout: dropout)
  }

  private func matrix(_ values: [Float], rows: Int? = nil, _ pass: inout Pass) -> Matrix {
    let rows = rows ?? pass.rows
    let matrix = pass.matrix(rows, values.count / rows)
    for index in values.indices { matrix.base[index] = values[index] }
    return matrix
  }

  // MARK: Numbers

  private func differentiate(_ f: (Float) -> Double) -> [Double] {
    Self.steps.map { h in (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * Double(h)) }
  }

  private func length(_ values: [Float]) -> Double {
    values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  }

  /// Numbers of mean 0 and variance 1: sums of twelve uniform ones.
  static func normal(_ count: Int, _ salt: Int) -> [Float] {
    let stream = RandomStream(seed: 42, purpose: .synthesis, step: salt)
    return (0..<count).map { index in
      (0..<12).reduce(-6) { $0 + stream.uniform(at: 12 * index + $1) }
    }
  }
}
