import DataParallel

extension ConfigurationKey {
  /// The `train:` part.
  static let train: [ConfigurationKey] = [
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
    range(
      "train.segment_length", \.train.segmentLengths, in: 1...65_536,
      "frames of a training segment; of a list, each step draws one"),
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
