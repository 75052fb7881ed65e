import SpeakerNet

extension Recipe {
  /// Every shipped recipe, in the order of the reports.
  public static let all: [Recipe] = report000 + report001 + report002 + report003 + report004

  private static let report000 = [
    Recipe("000-baseline", transformer(head: .mlpSigmoid)),
    Recipe(
      "000-sap", transformer(head: .mlpSigmoid, pooling: .sap, name: .selfAttentionPooling),
      Published(0.5323, steps: 46.67...46.67, utterances: 1911.74...1911.74)),
  ]

  private static let report001 = [
    Recipe(
      "001-original", transformer(head: .mlpSigmoid),
      Published(0.4834, steps: 41.57...44.31, utterances: 990.67...1733.87)),
    // The report's text claims six layers; its unchanged speed suggests that one of them was used.
    Recipe(
      "001-modified-6layers", transformer(width: 512, layers: 6, heads: 16),
      Published(0.7599, steps: 42.1...44.96, utterances: 1436.91...1829.27)),
    Recipe(
      "001-modified-1layer", transformer(width: 512, heads: 16),
      Published(0.7599, steps: 42.1...44.96, utterances: 1436.91...1829.27)),
  ]

  private static let report002 = [
    Recipe("002-sample", transformer()),
    Recipe("002-medium", transformer(width: 120, layers: 4, heads: 4)),
    Recipe("002-medium-1layer", transformer(width: 120, heads: 4)),
    Recipe("002-strong", conformer(width: 120, layers: 2)),
    Recipe("002-boss", conformer(width: 120, layers: 2, head: .linear, pooling: .sap, loss: .amSoftmax)),
  ]

  private static let report003 = [
    Recipe("003-sample", transformer(), Published(0.6716)),
    Recipe("003-2layers", transformer(layers: 2), Published(0.714, private: 0.88475)),
    Recipe("003-nhead1", transformer(layers: 2, heads: 1), Published(0.7265)),
    Recipe("003-nhead4", transformer(layers: 2, heads: 4), Published(0.7256, private: 0.8905)),
    Recipe("003-3layers", transformer(layers: 3, heads: 4), Published(0.7451, private: 0.9055)),
    Recipe("003-conformer2", conformer(layers: 2), Published(0.7493, private: 0.906)),
    Recipe("003-conformer3", conformer(layers: 3), Published(0.7638, private: 0.92625)),
    Recipe("003-conformer4", conformer(layers: 4), Published(0.7744, private: 0.9225)),
    Recipe("003-linear-head", conformer(layers: 3, head: .linear), Published(0.8554, private: 0.95875)),
    Recipe(
      "003-sap-simple", conformer(layers: 3, head: .linear, pooling: .sap),
      Published(0.8588, private: 0.96125)),
    Recipe(
      "003-sap-full64", conformer(layers: 3, head: .linear, pooling: .sapFull),
      Published(0.8616, private: 0.962)),
    Recipe(
      "003-sap-full128", conformer(layers: 3, head: .linear, pooling: .sapFull, attention: 128),
      Published(0.8626, private: 0.96)),
  ]

  private static let report004 = [
    Recipe(
      "004-task1", limited(.sharedTransformer, feedforward: 800, kernel: 31, head: .mlpReLU),
      Published(0.66, steps: 11.93...12.33, utterances: 341.92...346.46)),
    Recipe(
      "004-task2", limited(.convTransformer, feedforward: 500, kernel: 3, head: .bnLinear),
      Published(0.7, steps: 11.09...11.26, utterances: 320.75...327.24)),
  ]

  // MARK: The three families

  private static func transformer(
    width: Int = 80, layers: Int = 1, heads: Int = 2, head: ModelConfiguration.Head = .mlpReLU,
    pooling: ModelConfiguration.PoolingKind = .mean, name: ModelConfiguration.PoolingName = .attentionPooling
  ) -> ModelConfiguration {
    var model = ModelConfiguration()
    model.dModel = width
    model.encoder.layers = layers
    model.encoder.heads = heads
    model.pooling.kind = pooling
    model.pooling.name = name
    model.head = head
    return model
  }

  private static func conformer(
    width: Int = 80, layers: Int, head: ModelConfiguration.Head = .mlpReLU,
    pooling: ModelConfiguration.PoolingKind = .mean, attention: Int = 64,
    loss: ModelConfiguration.LossKind = .crossEntropy
  ) -> ModelConfiguration {
    var model = transformer(width: width, layers: layers, heads: 4, head: head, pooling: pooling)
    model.encoder.kind = .conformer
    model.encoder.dropout = 0
    model.pooling.attention = attention
    model.loss.kind = loss
    return model
  }

  /// Report 004: one layer applied three times, and an encoder of less than 300,000 parameters.
  private static func limited(
    _ kind: ModelConfiguration.EncoderKind, feedforward: Int, kernel: Int, head: ModelConfiguration.Head
  ) -> ModelConfiguration {
    var model = transformer(layers: 3, heads: 1, head: head)
    model.encoder.kind = kind
    model.encoder.feedforward = feedforward
    model.encoder.kernel = kernel
    model.encoder.parameterLimit = 300_000
    return model
  }
}
