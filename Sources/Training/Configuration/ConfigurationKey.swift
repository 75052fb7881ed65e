import Diagnostics
import SpeakerNet
import TensorFiles

/// One key of the configuration: its dotted name, what it means, what it takes, and where it is kept.
public struct ConfigurationKey: Sendable {
  /// Whether a resumed run may give the key another value than the run started with.
  public enum OnResume: Sendable {
    /// Another value would be another network, other data or other random numbers: refused.
    case fixed
    /// A deliberate change of plan (a longer run, another learning rate): allowed.
    case free
  }

  /// The dotted name, as in `--set train.total_steps=4000`.
  public let name: String
  /// What the key means, in one line.
  public let help: String
  /// What the key takes, completing the sentence "expected …".
  public let expected: String
  /// Whether the value is a word, and so may be quoted in YAML; a quoted number is text, not a number.
  public let takesText: Bool
  /// Whether a resumed run may change it.
  public let onResume: OnResume

  private let read: @Sendable (String, inout Configuration) -> Bool
  private let write: @Sendable (Configuration) -> String?

  init(
    _ name: String, _ help: String, expected: String, takesText: Bool = false, onResume: OnResume,
    read: @escaping @Sendable (String, inout Configuration) -> Bool,
    write: @escaping @Sendable (Configuration) -> String?
  ) {
    self.name = name
    self.help = help
    self.expected = expected
    self.takesText = takesText
    self.onResume = onResume
    self.read = read
    self.write = write
  }

  /// The key's value in a configuration, as YAML writes it; `nil` when it has none.
  public func value(in configuration: Configuration) -> String? { write(configuration) }

  /// The key's value in a configuration as JSON, of the type it has in YAML.
  func json(in configuration: Configuration) -> JSON {
    guard let text = write(configuration) else { return .null }
    if takesText { return .string(text) }
    if let flag = Bool(text) { return .bool(flag) }
    return Int(text).map(JSON.integer) ?? Double(text).map(JSON.number) ?? .string(text)
  }

  /// Sets the key from the text of a YAML scalar.
  ///
  /// - Returns: `false`, and no change, when the text is not what the key expects.
  public func set(_ text: String, in configuration: inout Configuration) -> Bool {
    read(text, &configuration)
  }

  /// The key of that dotted name.
  public static func named(_ name: String) -> ConfigurationKey? { all.first { $0.name == name } }

  /// The last part of the dotted name.
  var leaf: Substring { name[(name.lastIndex(of: ".").map(name.index(after:)) ?? name.startIndex)...] }

  /// The groups above the key: `["model", "encoder"]` for `model.encoder.kind`.
  var groups: [Substring] { name.split(separator: ".").dropLast() }
}

extension ConfigurationKey {
  /// The most bands that a frame may have.
  static let mostBands = 1_024

  /// Every key there is, in the order in which a configuration is written.
  public static let all: [ConfigurationKey] = model + train

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

/// The kinds of value a key takes. Each returns a key whose text form round-trips exactly.
extension ConfigurationKey {
  typealias Path<Value> = WritableKeyPath<Configuration, Value> & Sendable

  /// A whole number in a range, and perhaps of a certain form (`odd`).
  static func integer<Value: FixedWidthInteger & Sendable>(
    _ name: String, _ path: Path<Value>, in range: ClosedRange<Value>, form: String = "whole",
    onResume: OnResume = .fixed, where allowed: @escaping @Sendable (Value) -> Bool = { _ in true },
    _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help,
      expected: "\(article(form)) \(form) number from \(range.lowerBound) to \(range.upperBound)",
      onResume: onResume,
      read: { text, configuration in
        guard let value = wholeNumber(text, as: Value.self), range.contains(value), allowed(value)
        else { return false }
        configuration[keyPath: path] = value
        return true
      },
      write: { String($0[keyPath: path]) })
  }

  /// A whole number of 1 or more, or nothing.
  static func limit(
    _ name: String, _ path: Path<Int?>, onResume: OnResume = .free, _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help, expected: "a whole number of 1 or more, or null for no limit", onResume: onResume,
      read: { text, configuration in
        if YAMLScalar.isNull(text) {
          configuration[keyPath: path] = nil
          return true
        }
        guard let value = wholeNumber(text, as: Int.self), value >= 1 else { return false }
        configuration[keyPath: path] = value
        return true
      },
      write: { $0[keyPath: path].map(String.init) })
  }

  /// A decimal number that satisfies a condition, which `range` puts in words.
  static func number<Value: BinaryFloatingPoint & LosslessStringConvertible & Sendable>(
    _ name: String, _ path: Path<Value>, _ range: String, onResume: OnResume = .fixed,
    where allowed: @escaping @Sendable (Value) -> Bool, _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help, expected: "a number \(range)", onResume: onResume,
      read: { text, configuration in
        guard let value = decimalNumber(text, as: Value.self), allowed(value) else { return false }
        configuration[keyPath: path] = value
        return true
      },
      write: { YAMLScalar.text(of: $0[keyPath: path]) })
  }

  /// One of a few words.
  static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
    _ name: String, _ path: Path<Value>, onResume: OnResume = .fixed, _ help: String
  ) -> ConfigurationKey {
    let words = Value.allCases.map(\.rawValue)
    return ConfigurationKey(
      name, help, expected: listed(words, "or"), takesText: true, onResume: onResume,
      read: { text, configuration in
        guard let value = Value(rawValue: text) else { return false }
        configuration[keyPath: path] = value
        return true
      },
      write: { $0[keyPath: path].rawValue })
  }

  /// Yes or no, as YAML 1.2 spells it.
  static func flag(
    _ name: String, _ path: Path<Bool>, onResume: OnResume = .fixed, _ help: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      name, help, expected: "true or false", onResume: onResume,
      read: { text, configuration in
        guard let value = Bool(text) else { return false }
        configuration[keyPath: path] = value
        return true
      },
      write: { String($0[keyPath: path]) })
  }

  private static func article(_ word: String) -> String { "aeiou".contains(word.first ?? "x") ? "an" : "a" }

  /// YAML's decimal integers; no `1_000`, which YAML 1.1 and 1.2 read differently.
  private static func wholeNumber<Value: FixedWidthInteger>(_ text: String, as type: Value.Type) -> Value? {
    Value(text)
  }

  /// YAML's decimal fractions; neither Swift's hexadecimal ones nor infinities.
  private static func decimalNumber<Value: BinaryFloatingPoint & LosslessStringConvertible>(
    _ text: String, as type: Value.Type
  ) -> Value? {
    guard text.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }) else { return nil }
    guard let value = Value(text), value.isFinite else { return nil }
    return value
  }
}
