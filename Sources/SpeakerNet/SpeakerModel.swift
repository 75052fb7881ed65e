import Diagnostics
import TensorCore

/// A speaker classifier: mels_NM → prenet → encoder → pooling → head → logits_BC.
///
/// The model is a description: where each parameter lies and what is computed with it. Values are in a
/// ``ModelState``, and one slice's activations in a ``Pass``, so any number of slices can be under way at once.
public struct SpeakerModel: Sendable {
  /// Mel bands of a frame in the homework's features.
  public static let homeworkBands = 40

  /// What the model is made of.
  public let configuration: ModelConfiguration
  /// Number of speakers.
  public let speakers: Int
  /// What the last layer tells apart, C: the speakers, and each of them again for every variant (another speed) that
  /// training takes for somebody else. The speakers themselves are the first.
  public let classes: Int
  /// Mel bands of a frame, M.
  public let bands: Int
  /// Names and places of its parameters.
  public let layout: ParameterLayout
  /// Parameters of the encoder, those that are shared counted once.
  public let encoderParameters: Int

  private let prenet: Linear
  private let encoder: Encoder
  private let pooling: Pooling
  private let head: Head
  private let loss: Loss

  /// - Parameters:
  ///   - speakers: how many the model tells apart.
  ///   - bands: of a frame; at least 1.
  ///   - variants: of each speaker, with himself; at least 1.
  /// - Throws: a usage ``Failure`` when the configuration is not a model, or its encoder is larger than its limit.
  public init(
    _ configuration: ModelConfiguration, speakers: Int, bands: Int = homeworkBands, variants: Int = 1
  ) throws(Failure) {
    precondition(bands > 0, "a frame has at least one band")
    try configuration.check()
    var layout = ParameterLayout()
    let width = configuration.dModel
    prenet = Linear("prenet", inputs: bands, outputs: width, in: &layout)
    let before = layout.storedCount
    encoder = Encoder(configuration.encoder, width: width, in: &layout)
    encoderParameters = layout.storedCount - before
    if let limit = configuration.encoder.parameterLimit, encoderParameters >= limit {
      throw Failure(
        .usage,
        "model.encoder.parameter_limit: the encoder has \(encoderParameters) parameters, which is not under \(limit)"
      )
    }
    pooling = Pooling(configuration.pooling, width: width, in: &layout)
    classes = speakers * variants
    head = Head(configuration, speakers: classes, in: &layout)
    loss = Loss(configuration.loss)
    layout.finish()
    self.configuration = configuration
    self.speakers = speakers
    self.bands = bands
    self.layout = layout
  }

  /// Parameters in all.
  public var parameterCount: Int { layout.count }

  /// The widest model whose samples go through the network one by one.
  private static let widestOneByOne = 256

  /// Whether each sample of a slice goes forward and backward before the next one, so that its activations stay in
  /// the second level of the cache; otherwise all go through a layer together.
  ///
  /// BatchNorm needs all of them at once. A wide model's weights are the larger part, and would be fetched again for
  /// each sample.
  public var takesSamplesOneByOne: Bool {
    layout.statisticsCount == 0 && configuration.dModel <= Self.widestOneByOne
  }

  /// The work of a slice of `samples` of `frames` each.
  public func work(samples: Int, frames: Int) -> Work {
    takesSamplesOneByOne
      ? workTogether(samples: 1, frames: frames) * samples : workTogether(samples: samples, frames: frames)
  }

  /// The work of samples that go through a layer together.
  package func workTogether(samples: Int, frames: Int) -> Work {
    prenet.work(rows: samples * frames, givesInputGradient: false)
      + encoder.work(samples: samples, frames: frames) + pooling.work(samples: samples, frames: frames)
      + head.work(samples: samples, frames: frames)
  }

  /// The logits of a slice, [B, C]; `mels` is [B·T, M]. For AM-softmax s·cos, without the margin.
  public func logits(_ mels_NM: Matrix, _ pass: inout Pass) -> Matrix {
    head.forward(embedding(mels_NM, &pass), &pass)
  }

  /// Values of an embedding, D.
  public var embeddingWidth: Int { configuration.dModel }

  /// The embeddings of a slice, [B, D]: the vectors that the frames were pooled into, which the head tells speakers by.
  public func embedding(_ mels_NM: Matrix, _ pass: inout Pass) -> Matrix {
    pooling.forward(encoder.forward(prenet.forward(mels_NM, &pass), &pass), &pass)
  }

  /// A slice's logits, its part of the loss, and its part of every parameter's gradient of the mean loss over the
  /// global batch, written to the pass's gradients.
  ///
  /// - Parameters:
  ///   - labels: [B], below ``classes``.
  ///   - mixture: what else the samples are, where each is a mixture of two.
  public func gradients(
    _ mels_NM: Matrix, labels: UnsafePointer<Int32>, mixture: Mixture? = nil, _ pass: inout Pass
  ) -> (logits: Matrix, loss: Loss.Result) {
    pass.clearVectorGradients(layout)
    let logits_BC = pass.matrix(pass.samples, classes)
    var result = Loss.Result(loss: 0, correct: 0)
    let slice = pass.samples, together = takesSamplesOneByOne ? 1 : slice
    var start = 0
    repeat {  // once even for an empty slice: the others may wait for its sums
      let part = start..<min(slice, start + together)
      pass.part(part, of: slice) { pass in
        let mels_NM = mels_NM.rows(start * pass.frames..<part.upperBound * pass.frames)
        let y_BC = logits(mels_NM, &pass)
        let dy_BC = pass.matrix(y_BC.rows, y_BC.columns)
        result += loss(
          y_BC, labels: labels + start, mixture: mixture?.from(start), gradient: dy_BC, pass)
        logits_BC.rows(part).copy(from: y_BC)
        pass.finishedLoss(result)
        let dh_ND = encoder.backward(pooling.backward(head.backward(dy_BC, &pass), &pass), &pass)
        prenet.parameterGradients(dh_ND, &pass)
        pass.finishedGradients(from: prenet.weight)
      }
      start = part.upperBound
    } while start < slice
    return (logits_BC, result)
  }

  /// The loss of one row of logits, and whether its largest is the label's; among the speakers themselves.
  public func loss(ofRow row: Int, of logits_BC: Matrix, label: Int, _ pass: Pass) -> Loss.Result {
    withUnsafePointer(to: Int32(label)) { label in
      loss(logits_BC.rows(row..<row + 1).columns(0..<speakers), labels: label, gradient: nil, pass)
    }
  }
}

extension SpeakerModel {
  /// Bytes of activations that a training pass over a slice takes at its largest: found by going through the pass
  /// without memory.
  ///
  /// - Parameters:
  ///   - samples: of the slice.
  ///   - frames: of each sample.
  public func trainingBytes(samples: Int, frames: Int) -> Int {
    let workspace = Workspace(isPlanned: true)
    let state = ModelState(planned: layout)
    var pass = Pass(
      samples: samples, frames: frames, globalSamples: samples, mode: .training, state: state,
      gradients: state.parameters, workspace: workspace,
      dropout: RandomStream(seed: 0, purpose: .dropout))
    let mels_NM = pass.matrix(pass.rows, bands)
    var label: Int32 = 0
    _ = gradients(mels_NM, labels: &label, &pass)
    return workspace.highWater
  }

  /// The same of an evaluation of one sample.
  public func evaluationBytes(frames: Int) -> Int {
    let workspace = Workspace(isPlanned: true)
    var pass = Pass(
      samples: 1, frames: frames, globalSamples: 1, mode: .evaluation, state: ModelState(planned: layout),
      gradients: nil, workspace: workspace)
    let mels_NM = pass.matrix(pass.rows, bands)
    _ = loss(ofRow: 0, of: logits(mels_NM, &pass), label: 0, pass)
    return workspace.highWater
  }
}

extension Pass {
  /// Sets to zero the gradients that kernels add to; those of products are written.
  func clearVectorGradients(_ layout: ParameterLayout) {
    guard !isPlanned else { return }
    for run in layout.vectorRuns { (gradients! + run.lowerBound).update(repeating: 0, count: run.count) }
  }
}
