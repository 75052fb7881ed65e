import SpeakerNet

/// One matrix product as the network calls it: c_MN from a and b, either of which may be transposed.
package struct ProductShape: Hashable, Sendable {
  /// Which operand is transposed.
  package enum Form: Hashable, Sendable, CaseIterable {
    /// `a_MK · b_KN`
    case plain
    /// `a_MK · bᵀ`, b_NK
    case secondTransposed
    /// `aᵀ · b_KN`, a_KM
    case firstTransposed
  }

  package let form: Form
  /// M and N: rows and columns of the result.
  package let rows: Int, columns: Int
  /// K: what is summed over.
  package let depth: Int

  /// Multiplications and additions.
  package var operations: Int { 2 * rows * columns * depth }
}

/// The matrix work of one slice of a training step, forward and backward, from the network's description.
package struct StepWork: Sendable {
  /// The products that a slice really computes, and how often.
  package private(set) var products: [ProductShape: Int] = [:]
  /// Operations of the forward pass: its products and its depthwise convolutions.
  package private(set) var forwardOperations = 0

  /// Samples that go through the network together, and frames of each.
  private let samples: Int, frames: Int
  /// B·T
  private var rows: Int { samples * frames }

  /// - Parameters:
  ///   - samples: of the slice.
  ///   - frames: of each sample.
  ///   - oneByOne: whether the network takes the samples one after another.
  package init(_ model: ModelConfiguration, speakers: Int, samples: Int, frames: Int, oneByOne: Bool) {
    self.samples = oneByOne ? 1 : samples
    self.frames = frames
    let D = model.dModel
    addLinear(rows, SpeakerModel.melBands, D, givesInputGradient: false)
    for _ in 0..<model.encoder.layers { addLayer(model.encoder, D) }
    addPooling(model.pooling, D)
    addHead(model.head, D, speakers)
    guard oneByOne else { return }
    products = products.mapValues { $0 * samples }
    forwardOperations *= samples
  }

  /// Operations of the slice as they are usually counted: three times the forward pass's, for each product has two
  /// in the backward pass. (The first layer's input needs no gradient, which this way of counting overlooks.)
  package var operations: Int { 3 * forwardOperations }

  /// Operations of ``products``.
  package var productOperations: Int { products.reduce(0) { $0 + $1.key.operations * $1.value } }

  private mutating func addLayer(_ encoder: ModelConfiguration.Encoder, _ D: Int) {
    switch encoder.kind {
    case .transformer, .sharedTransformer:
      addAttention(D, heads: encoder.heads)
      addFeedForward(D, encoder.feedforward)
    case .conformer:
      addFeedForward(D, encoder.feedforward)
      addAttention(D, heads: encoder.heads)
      addLinear(rows, D, 2 * D)
      forwardOperations += 2 * rows * D * encoder.kernel
      addLinear(rows, D, D)
      addFeedForward(D, encoder.feedforward)
    case .convTransformer:
      addAttention(D, heads: encoder.heads)
      addFeedForward(D, encoder.feedforward)
      addLinear(rows, 3 * D, 2 * D)
      addFeedForward(D, encoder.feedforward)
    }
  }

  private mutating func addFeedForward(_ D: Int, _ hidden: Int) {
    addLinear(rows, D, hidden)
    addLinear(rows, hidden, D)
  }

  private mutating func addPooling(_ pooling: ModelConfiguration.Pooling, _ D: Int) {
    switch pooling.kind {
    case .mean: break
    case .sap: addLinear(rows, D, 1)
    case .sapFull:
      addLinear(rows, D, pooling.attention)
      addLinear(rows, pooling.attention, 1)
    }
  }

  private mutating func addHead(_ head: ModelConfiguration.Head, _ D: Int, _ speakers: Int) {
    switch head {
    case .mlpReLU, .mlpSigmoid: addLinear(samples, D, D)
    case .linear, .bnLinear: break
    }
    addLinear(samples, D, speakers)
  }

  /// `y_NO = x_NI · weight_OIᵀ`; `dweight = dyᵀ · x`; `dx = dy · weight`.
  private mutating func addLinear(_ N: Int, _ I: Int, _ O: Int, givesInputGradient: Bool = true) {
    add(.secondTransposed, N, O, I)
    forwardOperations += 2 * N * I * O
    add(.firstTransposed, O, I, N)
    if givesInputGradient { add(.plain, N, I, O) }
  }

  /// Projections, and for each head of each sample the scores, the context and their four gradients.
  private mutating func addAttention(_ D: Int, heads: Int) {
    addLinear(rows, D, 3 * D)
    let T = frames, width = D / heads, times = samples * heads
    add(.secondTransposed, T, T, width, times: 2 * times)
    add(.plain, T, width, T, times: 2 * times)
    add(.firstTransposed, T, width, T, times: 2 * times)
    forwardOperations += times * 4 * T * T * width
    addLinear(rows, D, D)
  }

  private mutating func add(_ form: ProductShape.Form, _ M: Int, _ N: Int, _ K: Int, times: Int = 1) {
    products[ProductShape(form: form, rows: M, columns: N, depth: K), default: 0] += times
  }
}
