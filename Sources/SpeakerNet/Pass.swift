import CKernels
import TensorCore

/// One slice of a batch on its way through the network and back: what a layer may use.
///
/// Activations come from an arena. What the backward pass will need is saved on a tape and restored in reverse
/// order. A pass knows neither shards nor ranks: where a layer needs the whole global batch (BatchNorm), it asks
/// ``sumOverBatch(_:count:)``, and dropout draws from the stream it was given.
public struct Pass {
  /// What the pass is for.
  public enum Mode: Sendable {
    /// Dropout on, BatchNorm on batch statistics, activations saved.
    case training
    /// Dropout off, BatchNorm on running statistics, nothing saved.
    case evaluation
  }

  /// Samples of the slice, and frames of each; a frame matrix has `samples * frames` rows, a sample's together.
  public let samples: Int, frames: Int
  /// Samples of the whole global batch, over which losses are averaged and BatchNorm normalises.
  public let globalSamples: Int
  /// What the pass is for.
  public let mode: Mode
  /// Where activations lie.
  public let arena: Arena
  /// Time by phase.
  public let clock: PhaseClock

  let state: ModelState
  let gradients: UnsafeMutablePointer<Float>?
  let tape: Tape
  let batchSum: BatchSum?
  let dropoutStream: RandomStream?
  private let gradientWatch: GradientWatch?
  private var dropoutSite = 0
  /// Whether weight gradients are added to what is there: from the second use of a shared layer on.
  var isAccumulating = false
  /// Whether gradients are not final yet when a layer says so: in all but the last use of a shared layer.
  var holdsGradientsBack = false

  /// - Parameters:
  ///   - gradients: [layout.trainedCount], where parameter gradients go; `nil` in evaluation.
  ///   - dropout: the stream of the slice's masks; `nil` turns dropout off.
  ///   - batchSum: the sum over the global batch; `nil` when this slice is the whole batch.
  ///   - gradientWatch: learns how far the backward pass is.
  public init(
    samples: Int, frames: Int, globalSamples: Int, mode: Mode, state: ModelState,
    gradients: UnsafeMutablePointer<Float>?, workspace: Workspace, dropout: RandomStream? = nil,
    batchSum: BatchSum? = nil, gradientWatch: GradientWatch? = nil
  ) {
    self.samples = samples
    self.frames = frames
    self.globalSamples = globalSamples
    self.mode = mode
    self.state = state
    self.gradients = gradients
    self.dropoutStream = mode == .training ? dropout : nil
    self.batchSum = batchSum
    self.gradientWatch = gradientWatch
    arena = workspace.arena
    tape = workspace.tape
    clock = workspace.clock
    arena.reset()
    tape.reset()
  }

  /// Rows of a frame matrix.
  public var rows: Int { samples * frames }
  /// Whether activations are kept for a backward pass.
  public var isTraining: Bool { mode == .training }

  /// A dense matrix with undefined content.
  public func matrix(_ rows: Int, _ columns: Int) -> Matrix { arena.matrix(rows, columns) }

  /// A parameter's values.
  public subscript(parameter: Parameter) -> Matrix {
    Matrix(state.parameters + parameter.offset, rows: parameter.rows, columns: parameter.columns)
  }

  /// Where a parameter's gradient goes.
  public func gradient(of parameter: Parameter) -> Matrix {
    Matrix(gradients! + parameter.offset, rows: parameter.rows, columns: parameter.columns)
  }

  /// Says, in a backward pass, that every gradient from this parameter's to the end of the flat buffer is final.
  ///
  /// Parameters lie in the order of the forward pass, so the backward pass finishes them from the end. A layer says
  /// it when all its own are final, and a large one in between.
  func finishedGradients(from parameter: Parameter) {
    guard let gradientWatch, !holdsGradientsBack else { return }
    let start = clock.isOn ? monotonicNanoseconds() : 0
    gradientWatch(parameter.offset)
    if clock.isOn { clock.add(.exchange, from: start, to: monotonicNanoseconds()) }
  }

  /// Keeps a matrix for the backward pass.
  public func save(_ matrix: Matrix) {
    if isTraining { tape.push(matrix) }
  }

  /// The matrix saved last that was not restored yet.
  public func restore() -> Matrix { tape.pop() }

  /// A dropout mask of `count` keep bytes, saved for the backward pass; `nil` when nothing is dropped.
  public mutating func mask(_ count: Int, probability: Float) -> UnsafeMutablePointer<UInt8>? {
    guard var stream = dropoutStream, probability > 0 else { return nil }
    stream = stream.site(dropoutSite)
    dropoutSite += 1
    let keep = arena.bytes(count)
    let threshold = UInt32((probability * 65536).rounded())
    clock.measure(.dropout) {
      withUnsafeBytes(of: stream.key) { key in
        withUnsafeBytes(of: stream.origin) { origin in
          kernel_keep_mask(
            key.bindMemory(to: UInt32.self).baseAddress!, origin.bindMemory(to: UInt32.self).baseAddress!,
            threshold,
            count, keep)
        }
      }
    }
    tape.push(keep)
    return keep
  }

  /// The mask saved last; `nil` where ``mask(_:probability:)`` gave none.
  public func restoreMask(probability: Float) -> UnsafeMutablePointer<UInt8>? {
    dropoutStream == nil || probability == 0 ? nil : tape.popMask()
  }

  /// Replaces `count` floats by their sum over all slices of the global batch, in the one fixed order.
  public func sumOverBatch(_ values: UnsafeMutablePointer<Float>, count: Int) {
    batchSum?.reduce(values, count, clock)
  }
}

/// Is told by the backward pass that all gradients from an element of the flat buffer to its end are final: offsets
/// that fall to 0.
public typealias GradientWatch = (_ offset: Int) -> Void

/// The sum over the slices of the global batch, as a layer sees it.
public struct BatchSum {
  /// What is summed, how many floats, and the clock of the pass that waits.
  public typealias Reduce = (_ values: UnsafeMutablePointer<Float>, _ count: Int, _ clock: PhaseClock) -> Void

  /// Replaces `count` floats by their sum; waits for the other slices, and tells the pass's clock.
  public let reduce: Reduce
  /// Whether this slice is the one of its rank that writes running statistics.
  public let writesStatistics: Bool

  /// A sum by `reduce`.
  public init(writesStatistics: Bool, reduce: @escaping Reduce) {
    self.writesStatistics = writesStatistics
    self.reduce = reduce
  }
}
