import Diagnostics

/// What a network is made of: the `model:` part of a configuration file.
///
/// Defaults are those of the homework's sample model. The number of speakers is not part of it: it comes
/// from the data.
public struct ModelConfiguration: Equatable, Sendable {
  /// The encoders of the five reports.
  public enum EncoderKind: String, CaseIterable, Sendable {
    case transformer, conformer
    case sharedTransformer = "shared_transformer"
    case convTransformer = "conv_transformer"
  }

  /// The encoder: what turns frames [T, d] into frames [T, d].
  public struct Encoder: Equatable, Sendable {
    /// Which encoder.
    public var kind: EncoderKind = .transformer
    /// How many layers; for the kinds that share weights, how often the one layer is applied.
    public var layers = 1
    /// Attention heads; must divide `d_model`.
    public var heads = 2
    /// Width of the feed-forward part.
    public var feedforward = 256
    /// Width of the conformer's depthwise convolution, in frames; odd.
    public var kernel = 31
    /// Dropout probability, 0 ..< 1.
    public var dropout: Float = 0.1
    /// The most parameters the encoder may have; checked before training. `nil`: no limit.
    public var parameterLimit: Int? = nil

    /// The sample's encoder.
    public init() {}
  }

  /// How frames become one vector.
  public enum PoolingKind: String, CaseIterable, Sendable {
    case mean, sap
    case sapFull = "sap_full"
  }

  /// The name the self-attentive pooling has in a report's state dict.
  public enum PoolingName: String, CaseIterable, Sendable {
    /// Report 003: `attention_pooling.score`.
    case attentionPooling = "attention_pooling"
    /// Report 000: `self_attention_pooling.attention`.
    case selfAttentionPooling = "self_attention_pooling"
  }

  /// Pooling over time.
  public struct Pooling: Equatable, Sendable {
    /// Which pooling.
    public var kind: PoolingKind = .mean
    /// Width of the hidden projection of `sap_full`.
    public var attention = 64
    /// Under which name `sap` is stored.
    public var name: PoolingName = .attentionPooling

    /// Mean pooling.
    public init() {}
  }

  /// From the pooled vector to one logit a speaker.
  public enum Head: String, CaseIterable, Sendable {
    case mlpReLU = "mlp_relu"
    case mlpSigmoid = "mlp_sigmoid"
    case linear
    case bnLinear = "bn_linear"
  }

  /// The training losses.
  public enum LossKind: String, CaseIterable, Sendable {
    case crossEntropy = "cross_entropy"
    case amSoftmax = "am_softmax"
  }

  /// The loss and, for AM-softmax, its scale s and margin m.
  public struct Loss: Equatable, Sendable {
    /// Which loss.
    public var kind: LossKind = .crossEntropy
    /// s of AM-softmax.
    public var scale: Float = 30
    /// m of AM-softmax.
    public var margin: Float = 0.35

    /// Cross entropy.
    public init() {}
  }

  /// Width of the network; `d_model` in files.
  public var dModel = 80
  /// The encoder.
  public var encoder = Encoder()
  /// The pooling.
  public var pooling = Pooling()
  /// The head.
  public var head: Head = .mlpReLU
  /// The loss.
  public var loss = Loss()

  /// The homework's sample model.
  public init() {}
}

extension ModelConfiguration {
  /// Checks what no single key can: that the parts fit together.
  public func check() throws(Failure) {
    func require(_ condition: Bool, _ message: String) throws(Failure) {
      if !condition { throw Failure(.usage, message) }
    }
    try require(dModel >= 1, "model.d_model must be at least 1, not \(dModel)")
    try require(encoder.layers >= 1, "model.encoder.layers must be at least 1, not \(encoder.layers)")
    try require(
      encoder.feedforward >= 1, "model.encoder.feedforward must be at least 1, not \(encoder.feedforward)")
    if encoder.heads < 1 || dModel % encoder.heads != 0 {
      let divisors = (1...min(dModel, 4096)).filter { dModel % $0 == 0 }.map(String.init).joined(
        separator: ", ")
      throw Failure(
        .usage,
        "model.encoder.heads must divide model.d_model: \(encoder.heads) does not divide \(dModel); these do: \(divisors)"
      )
    }
    try require(
      encoder.kernel >= 1 && encoder.kernel % 2 == 1,
      "model.encoder.kernel must be an odd number of frames, not \(encoder.kernel)")
    try require(
      encoder.dropout >= 0 && encoder.dropout < 1,
      "model.encoder.dropout must be at least 0 and less than 1, not \(encoder.dropout)")
    try require(
      pooling.attention >= 1, "model.pooling.attention must be at least 1, not \(pooling.attention)")
  }
}

extension ModelConfiguration {
  /// How many values a BatchNorm of the network has of each channel in a batch, or `nil` without BatchNorm. Of one
  /// value there is no variance; PyTorch too refuses to train on it.
  public func batchNormValues(samples: Int, frames: Int) -> Int? {
    if head == .bnLinear { return samples }
    guard encoder.kind == .conformer else { return nil }
    let values = samples.multipliedReportingOverflow(by: frames)
    return values.overflow ? Int.max : values.partialValue
  }
}
