import SpeakerNet

extension ConfigurationKey {
  /// The `model:` part.
  static let model: [ConfigurationKey] = [
    integer("model.d_model", \.model.dModel, in: 1...8_192, "width of the network"),
    choice("model.encoder.kind", \.model.encoder.kind, "the encoder between the front and the pooling"),
    integer(
      "model.encoder.layers", \.model.encoder.layers, in: 1...256,
      "layers; for the kinds that share weights, how often the one layer is applied"),
    integer("model.encoder.heads", \.model.encoder.heads, in: 1...1_024, "attention heads; divides d_model"),
    integer("model.encoder.feedforward", \.model.encoder.feedforward, in: 1...65_536, "feed-forward width"),
    integer(
      "model.encoder.kernel", \.model.encoder.kernel, in: 1...1_023, form: "odd",
      where: { !$0.isMultiple(of: 2) }, "width of the conformer's depthwise convolution, in frames"),
    number(
      "model.encoder.dropout", \.model.encoder.dropout, "of at least 0 and below 1", onResume: .free,
      where: { (0..<1).contains($0) }, "dropout probability"),
    limit(
      "model.encoder.parameter_limit", \.model.encoder.parameterLimit,
      "the encoder must have fewer parameters than this; checked before training"),
    choice("model.pooling.kind", \.model.pooling.kind, "how frames become one vector"),
    integer(
      "model.pooling.attention", \.model.pooling.attention, in: 1...65_536,
      "hidden width of sap_full's score"),
    choice("model.pooling.name", \.model.pooling.name, "the name of sap's weights in a state dict"),
    choice("model.head", \.model.head, "from the pooled vector to one logit a speaker"),
    choice("model.loss.kind", \.model.loss.kind, "the training loss"),
    number(
      "model.loss.scale", \.model.loss.scale, "above 0", onResume: .free, where: { $0 > 0 },
      "s of AM-softmax"),
    number(
      "model.loss.margin", \.model.loss.margin, "of at least 0 and below 1", onResume: .free,
      where: { (0..<1).contains($0) }, "m of AM-softmax"),
  ]
}
