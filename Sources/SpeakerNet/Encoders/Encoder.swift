import TensorCore

/// The encoders of the five reports. A new one is a layer, stacked or repeated, and a case here.
package enum Encoder: Layer {
  case transformer(Stack<TransformerLayer>)
  case conformer(Stack<ConformerLayer>)
  case sharedTransformer(Repeated<SharedTransformerLayer>)
  case convTransformer(Repeated<ConvTransformerLayer>)

  /// Registers the encoder's parameters under the names of the reports' modules.
  package init(_ encoder: ModelConfiguration.Encoder, width: Int, in layout: inout ParameterLayout) {
    switch encoder.kind {
    case .transformer: self = .transformer(Self.transformer(encoder, width: width, in: &layout))
    case .conformer:
      self = .conformer(
        Stack(
          layers: (0..<encoder.layers).map {
            ConformerLayer("conformer.conformer_layers.\($0)", width: width, encoder, in: &layout)
          }))
    case .sharedTransformer:
      let layer = SharedTransformerLayer("encoder.layers.0", width: width, encoder, in: &layout)
      self = .sharedTransformer(Self.repeated(layer, encoder.layers, in: &layout))
    case .convTransformer:
      let layer = ConvTransformerLayer("encoder.layers.0", width: width, encoder, in: &layout)
      self = .convTransformer(Self.repeated(layer, encoder.layers, in: &layout))
    }
  }

  /// One layer is the notebook's `encoder_layer`; several are `nn.TransformerEncoder`'s, which start as copies.
  private static func transformer(
    _ encoder: ModelConfiguration.Encoder, width: Int, in layout: inout ParameterLayout
  ) -> Stack<TransformerLayer> {
    func layer(_ name: String, _ layout: inout ParameterLayout) -> TransformerLayer {
      TransformerLayer(
        name, width: width, heads: encoder.heads, feedforward: encoder.feedforward, dropout: encoder.dropout,
        in: &layout)
    }
    guard encoder.layers > 1 else { return Stack(layers: [layer("encoder_layer", &layout)]) }
    return Stack(
      layers: (0..<encoder.layers).map { index in
        let name = "encoder.layers.\(index)"
        guard index > 0 else { return layer(name, &layout) }
        return layout.startingAsCopy(of: "encoder.layers.0.", below: "\(name).") { layer(name, &$0) }
      })
  }

  private static func repeated<Element: Layer>(
    _ layer: Element, _ times: Int, in layout: inout ParameterLayout
  ) -> Repeated<Element> {
    for index in 1..<max(1, times) {
      layout.alias(prefix: "encoder.layers.\(index).", of: "encoder.layers.0.")
    }
    return Repeated(layer: layer, times: times)
  }

  package func forward(_ x_ND: Matrix, _ pass: inout Pass) -> Matrix {
    switch self {
    case .transformer(let stack): stack.forward(x_ND, &pass)
    case .conformer(let stack): stack.forward(x_ND, &pass)
    case .sharedTransformer(let layer): layer.forward(x_ND, &pass)
    case .convTransformer(let layer): layer.forward(x_ND, &pass)
    }
  }

  package func backward(_ dy_ND: Matrix, _ pass: inout Pass) -> Matrix {
    switch self {
    case .transformer(let stack): stack.backward(dy_ND, &pass)
    case .conformer(let stack): stack.backward(dy_ND, &pass)
    case .sharedTransformer(let layer): layer.backward(dy_ND, &pass)
    case .convTransformer(let layer): layer.backward(dy_ND, &pass)
    }
  }
  package func work(samples: Int, frames: Int) -> Work {
    switch self {
    case .transformer(let stack): stack.work(samples: samples, frames: frames)
    case .conformer(let stack): stack.work(samples: samples, frames: frames)
    case .sharedTransformer(let layer): layer.work(samples: samples, frames: frames)
    case .convTransformer(let layer): layer.work(samples: samples, frames: frames)
    }
  }
}
