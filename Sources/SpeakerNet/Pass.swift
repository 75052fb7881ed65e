import TensorCore

/// One slice of a batch on its way through the network and back: what a layer may use.
///
/// Activations come from an arena. What the backward pass will need is saved on a tape and restored in reverse
/// order. A pass knows neither shards nor ranks: what needs the whole global batch (BatchNorm) it asks of its
/// ``GlobalBatch``, and dropout draws from the stream it was given.
public struct Pass: MatrixOperations {
  /// What the pass is for.
  public enum Mode: Sendable {
    /// Dropout on, BatchNorm on batch statistics, activations saved.
    case training
    /// Dropout off, BatchNorm on running statistics, nothing saved.
    case evaluation
  }

  /// Samples under way.
  public private(set) var samples: Int
  /// Frames of each sample; a frame matrix has `samples * frames` rows, a sample's together.
  public let frames: Int
  /// Samples of the whole global batch, over which losses are averaged and BatchNorm normalises.
  public let globalSamples: Int
  /// What the pass is for.
  public let mode: Mode
  /// Where temporaries and the activations between layers lie.
  public let arena: Arena
  /// Time by phase.
  public let clock: PhaseClock

  let state: ModelState
  let gradients: UnsafeMutablePointer<Float>?
  let tape: Tape
  private let kept: Arena
  let dropoutStream: RandomStream?
  /// Where the slice belongs, and its number there; `nil` when it is the whole batch.
  private let batch: (any GlobalBatch)?
  private let slice: Int
  /// The parameter that was finished last, and from where on parameters are not read again.
  private var finished = Int.max, released = Int.max
  private var dropoutSite = 0
  /// The place in the slice of the first sample under way.
  private var firstSample = 0
  private var isFirstPart = true, isLastPart = true
  private var isFirstUse = true, isLastUse = true

  /// - Parameters:
  ///   - gradients: [layout.trainedCount], where parameter gradients go; `nil` in evaluation.
  ///   - dropout: the stream of the slice's masks; `nil` turns dropout off.
  ///   - batch: the batch of which this is slice number `slice`; `nil` when it is all of it.
  public init(
    samples: Int, frames: Int, globalSamples: Int, mode: Mode, state: ModelState,
    gradients: UnsafeMutablePointer<Float>?, workspace: Workspace, dropout: RandomStream? = nil,
    batch: (any GlobalBatch)? = nil, slice: Int = 0
  ) {
    self.samples = samples
    self.frames = frames
    self.globalSamples = globalSamples
    self.mode = mode
    self.state = state
    self.gradients = gradients
    self.dropoutStream = mode == .training ? dropout : nil
    self.batch = batch
    self.slice = slice
    arena = workspace.arena
    kept = workspace.kept
    tape = workspace.tape
    clock = workspace.clock
    arena.reset()
    kept.reset()
    tape.reset()
  }

  /// Takes a part of the slice's samples through the network, forward and backward, and forgets its activations.
  ///
  /// The parts of a slice come in order, and their gradients are added up.
  mutating func part(_ range: Range<Int>, of slice: Int, _ body: (inout Pass) -> Void) {
    let mark = arena.mark, keptMark = kept.mark
    samples = range.count
    firstSample = range.lowerBound
    isFirstPart = range.lowerBound == 0
    isLastPart = range.upperBound == slice
    dropoutSite = 0
    body(&self)
    arena.release(to: mark)
    kept.release(to: keptMark)
    samples = slice
  }

  /// Goes back through one of a shared layer's uses, which come last use of the forward pass first.
  mutating func use(isFirst: Bool, isLast: Bool, _ body: (inout Pass) -> Void) {
    isFirstUse = isFirst
    isLastUse = isLast
    body(&self)
    isFirstUse = true
    isLastUse = true
  }

  /// Whether weight gradients are added to what is there: those of the slice's earlier parts, or of a shared layer's
  /// earlier uses.
  var isAccumulating: Bool { !isFirstPart || !isFirstUse }

  /// Whether nothing is computed: see ``Workspace/init(isPlanned:)``.
  public var isPlanned: Bool { arena.isPlanned }
  /// Rows of a frame matrix.
  public var rows: Int { samples * frames }
  /// Whether activations are kept for a backward pass.
  public var isTraining: Bool { mode == .training }

  /// A dense matrix with undefined content.
  public func matrix(_ rows: Int, _ columns: Int) -> Matrix { arena.matrix(rows, columns) }

  /// The same for what is saved: ``temporarily(_:)`` leaves it alone, but in evaluation, where nothing is saved.
  func kept(_ rows: Int, _ columns: Int) -> Matrix {
    isTraining ? kept.matrix(rows, columns) : arena.matrix(rows, columns)
  }

  /// A parameter's values.
  public subscript(parameter: Parameter) -> Matrix {
    Matrix(state.parameters + parameter.offset, rows: parameter.rows, columns: parameter.columns)
  }

  /// A BatchNorm's running statistic.
  subscript(buffer: Buffer) -> Matrix {
    Matrix(state.statistics + buffer.offset, rows: 1, columns: buffer.count)
  }

  /// Where a parameter's gradient goes.
  public func gradient(of parameter: Parameter) -> Matrix {
    Matrix(gradients! + parameter.offset, rows: parameter.rows, columns: parameter.columns)
  }

  // MARK: The global batch

  /// Replaces `count` floats by their sum over all slices of the global batch, in the one fixed order.
  public func sumOverBatch(_ values: UnsafeMutablePointer<Float>, count: Int) {
    batch?.sum(values, count: count, ofSlice: slice, clock: clock)
  }

  /// Whether this slice is the one of its rank that writes running statistics.
  var writesStatistics: Bool { slice == 0 }

  /// Says that the loss of the slice is known, but for parts that are still to come.
  func finishedLoss(_ loss: Loss.Result) {
    if isLastPart { batch?.lossIsKnown(loss, ofSlice: slice, clock: clock) }
  }

  /// Says, in a backward pass, that every gradient from this parameter's (or one of its parts') to the end of the flat
  /// buffer is final; and that the parameters of which this was said before will not be read again: they may change.
  ///
  /// Parameters lie in the order of the forward pass, so the backward pass finishes them from the end. A layer says
  /// it when all its own are final, and a large one in between: at once, while the gradient of its input is still to
  /// be computed with the parameter.
  mutating func finishedGradients(from parameter: Parameter, part: Int = 0) {
    guard let batch, isLastPart, isLastUse else { return }
    if parameter.offset != finished { (finished, released) = (parameter.offset, finished) }
    batch.gradientsAreFinal(
      from: parameter.offset(ofPart: part), released: released, ofSlice: slice, clock: clock)
  }

  /// Gives the batch a moment for what is under way elsewhere.
  func spareMoment() { batch?.moment(clock: clock) }

  // MARK: What the backward pass needs

  /// Keeps a matrix for the backward pass. Within ``temporarily(_:)`` it must be one of ``kept(_:_:)``.
  public func save(_ matrix: Matrix) {
    if isTraining { tape.push(matrix) }
  }

  /// The matrix saved last that was not restored yet.
  public func restore() -> Matrix { tape.pop() }

  /// A dropout mask for `count` elements, saved for the backward pass; ``DropoutMask/none`` when nothing is dropped.
  mutating func mask(_ count: Int, probability: Float) -> DropoutMask {
    guard let dropoutStream, probability > 0 else { return .none }
    let stream = dropoutStream.site(dropoutSite)
    dropoutSite += 1
    let mask = drawMask(
      kept.bytes(count), count: count, samples: firstSample..<firstSample + samples, probability: probability,
      from: stream)
    tape.push(mask)
    return mask
  }

  /// The mask that ``mask(_:probability:)`` gave last.
  func restoreMask(probability: Float) -> DropoutMask {
    dropoutStream == nil || probability == 0 ? .none : tape.popMask()
  }
}
