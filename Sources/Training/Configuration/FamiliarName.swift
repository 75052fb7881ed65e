import SpeechData

/// Names that other programs give to what is a key here, so that who types them learns the key.
public enum FamiliarName {
  /// Other names of keys, in lower case and without groups.
  private static let keys: [String: String] = [
    "lr": "train.learning_rate", "max_lr": "train.learning_rate", "rate": "train.learning_rate",
    "wd": "train.weight_decay", "decay": "train.weight_decay",
    "bs": "train.batch_size", "batch": "train.batch_size", "global_batch_size": "train.batch_size",
    "train_batch_size": "train.batch_size", "per_device_train_batch_size": "train.batch_size",
    "steps": "train.total_steps", "max_steps": "train.total_steps", "num_steps": "train.total_steps",
    "n_steps": "train.total_steps", "train_steps": "train.total_steps",
    "iterations": "train.total_steps", "max_iters": "train.total_steps", "iters": "train.total_steps",
    "warmup": "train.warmup_steps", "num_warmup_steps": "train.warmup_steps",
    "eval_steps": "train.valid_steps", "eval_every": "train.valid_steps",
    "val_steps": "train.valid_steps", "eval_interval": "train.valid_steps",
    "save_every": "train.save_steps", "save_interval": "train.save_steps",
    "checkpoint_steps": "train.save_steps", "checkpoint_interval": "train.save_steps",
    "save_total_limit": "train.keep_checkpoints", "random_seed": "train.seed", "manual_seed": "train.seed",
    "segment_len": "train.segment_length", "crop_length": "train.segment_length",
    "frames": "train.segment_length", "num_frms": "train.segment_length",
    "mixup_alpha": "augment.mixup", "speed_perturb": "augment.speed.factors",
    "musan": "augment.noise.corpus", "noise_lmdb_file": "augment.noise.corpus",
    "rirs": "augment.reverb.rooms", "reverb_lmdb_file": "augment.reverb.rooms",
    "hidden_size": "model.d_model", "hidden_dim": "model.d_model", "dim": "model.d_model",
    "width": "model.d_model", "arch": "model.encoder.kind", "encoder_type": "model.encoder.kind",
    "num_layers": "model.encoder.layers", "n_layers": "model.encoder.layers", "depth": "model.encoder.layers",
    "num_heads": "model.encoder.heads", "n_heads": "model.encoder.heads", "nhead": "model.encoder.heads",
    "dim_feedforward": "model.encoder.feedforward", "ffn_dim": "model.encoder.feedforward",
    "kernel_size": "model.encoder.kernel", "drop": "model.encoder.dropout", "pool": "model.pooling.kind",
    "classifier": "model.head", "criterion": "model.loss.kind",
  ]

  private static let epochs: Set = [
    "epoch", "epochs", "num_epochs", "n_epochs", "max_epochs", "train_epochs", "num_train_epochs",
  ]

  private static let others: [String: String] = [
    "speakers": "the number of speakers comes from the data",
    "num_speakers": "the number of speakers comes from the data",
    "n_spks": "the number of speakers comes from the data",
    "num_classes": "the number of speakers comes from the data",
    "optimizer": "it is AdamW; train.learning_rate and train.weight_decay are its keys",
    "scheduler": "it is a warm-up and a cosine; train.warmup_steps and train.total_steps are its keys",
    "lr_scheduler": "it is a warm-up and a cosine; train.warmup_steps and train.total_steps are its keys",
  ]

  /// Whether a name, with or without groups, asks for epochs.
  public static func isEpochs(_ name: String) -> Bool { epochs.contains(plain(name)) }

  /// The key that is meant by a name, with or without groups: by one that other programs use, or by the key's own last
  /// part (`seed`, `batch_size`).
  public static func key(_ name: String) -> String? {
    let name = plain(name)
    if let key = keys[name] { return key }
    let named = ConfigurationKey.all.filter { $0.leaf == name }
    return named.count == 1 ? named[0].name : nil
  }

  /// What to say about a name that is no key, if it is one that other programs use.
  static func advice(_ name: String) -> String? {
    if isEpochs(name) { return stepsNotEpochs }
    if let key = keys[plain(name)] { return "did you mean '\(key)'?" }
    return others[plain(name)]
  }

  /// What to say about a flag of that name, if it is a key, or what other programs have in its place.
  public static func adviceForFlag(_ name: String, value: String?) -> String? {
    if let key = key(name) { return "it is a key of the configuration: --set \(key)=\(value ?? "VALUE")" }
    return others[plain(name)]
  }

  /// What to say to who asks for epochs: how many steps they are, if the data is known.
  ///
  /// - Parameters:
  ///   - count: how many epochs.
  ///   - data: the data folder.
  ///   - configurationFiles: what says how large a batch is, with `overrides`.
  public static func adviceForEpochs(
    _ count: Double?, data: String?, configurationFiles: [String], overrides: [String]
  ) -> String {
    let known = overrides.filter { !isEpochs(String($0.prefix { $0 != "=" })) }
    guard let count, count > 0, count <= 1e6, let data, let corpus = try? Corpus.open(data),
      let train = try? Configuration.load(files: configurationFiles, overrides: known).train
    else { return stepsNotEpochs }
    let utterances = TrainValidSplit(of: corpus, seed: train.seed).training.count
    let steps = Int((count * Double(utterances) / Double(train.batchSize)).rounded(.up))
    return
      "steps are counted here, not epochs; \(YAMLScalar.text(of: count)) times the \(utterances) training utterances"
      + " of \(data), \(train.batchSize) a step, are --set train.total_steps=\(steps)"
  }

  /// Why there are no epochs here.
  static let stepsNotEpochs =
    "steps are counted here, not epochs: set train.total_steps to epochs × training utterances / train.batch_size"

  /// The last part of a dotted name, as keys are written.
  private static func plain(_ name: String) -> String {
    let leaf = name.split(separator: ".").last.map(String.init) ?? name
    return leaf.lowercased().replacing("-", with: "_")
  }
}
