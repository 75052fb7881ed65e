import SpeakerNet

extension ConfigurationKey {
  /// Every key there is, in the order in which a configuration is written.
  public static let all: [ConfigurationKey] = model + train

  /// The key of that dotted name.
  public static func named(_ name: String) -> ConfigurationKey? { all.first { $0.name == name } }

  private static let model: [ConfigurationKey] = [
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

  private static let train: [ConfigurationKey] = [
    integer("train.batch_size", \.train.batchSize, in: 1...65_536, "segments of one step, over all ranks"),
    integer(
      "train.total_steps", \.train.totalSteps, in: 1...1_000_000_000, onResume: .free,
      "steps of the whole run"),
    integer(
      "train.warmup_steps", \.train.warmupSteps, in: 0...1_000_000_000, onResume: .free,
      "steps over which the learning rate rises from 0"),
    integer(
      "train.valid_steps", \.train.validSteps, in: 1...1_000_000_000, onResume: .free,
      "steps between two validations"),
    integer(
      "train.save_steps", \.train.saveSteps, in: 1...1_000_000_000, onResume: .free,
      "steps between two checkpoints"),
    number(
      "train.learning_rate", \.train.learningRate, "above 0", onResume: .free, where: { $0 > 0 },
      "learning rate at the end of the warm-up; from there a cosine to 0"),
    number(
      "train.weight_decay", \.train.weightDecay, "of at least 0", onResume: .free, where: { $0 >= 0 },
      "AdamW's decoupled weight decay"),
    integer(
      "train.segment_length", \.train.segmentLength, in: 1...65_536, "frames of a training segment"),
    integer(
      "train.seed", \.train.seed, in: 0...UInt64(Int64.max),
      "what every random number and the train/validation split come from"),
    integer(
      "train.shards", \.train.shards, in: 1...4_096,
      "slices of a batch; divides batch_size, and is not less than the number of ranks"),
    choice(
      "train.reduction", \.train.reduction,
      "how gradients are summed: in one fixed order, or by MPI's own all-reduce"),
    choice(
      "train.exchange", \.train.exchange,
      "what gradients are sent as: floats, or bfloat16, to which every sum is then rounded"),
    flag(
      "train.overlap", \.train.overlap, onResume: .free,
      "whether gradients are sent while the backward pass still runs; the same bits either way"),
    integer(
      "train.keep_checkpoints", \.train.keepCheckpoints, in: 1...1_000_000, onResume: .free,
      "how many of the latest checkpoints are kept"),
    number(
      "train.stall_timeout", \.train.stallTimeout, "of at least 1, or 0", onResume: .free,
      where: { $0 == 0 || $0 >= 1 },
      "seconds after which a process that does not move is named and the run ended; 0 for never"),
    integer(
      "train.checksum_steps", \.train.checksumSteps, in: 0...1_000_000_000, onResume: .free,
      "steps between two comparisons of all processes' parameters; 0 for none"),
  ]
}
