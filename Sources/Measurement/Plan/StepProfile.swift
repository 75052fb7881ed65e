import CKernels
import DataParallel
import SpeakerNet
import TensorCore

/// What one shard's slice costs on one core, in processor time: all that a prediction needs of the network.
package struct StepProfile: Sendable {
  /// Seconds of the pass, forward and backward.
  let passSeconds: Double
  /// Seconds from the start of the pass until the loss is known.
  let lossSeconds: Double
  /// For each bucket: seconds from the start of the pass until its gradient is final.
  let bucketSeconds: [Double]
  /// Elements of each bucket.
  let buckets: [Int]
  /// Floats of each of BatchNorm's sums, in order.
  let batchSums: [Int]
  /// Seconds for a float of AdamW, and for adding a float of one gradient to another's.
  let optimizerSeconds: Double, additionSeconds: Double
  /// Floats of parameters, of those that are trained, and of running statistics.
  let parameters: Int, trained: Int, statistics: Int
  /// Bytes of activations of one slice.
  let activationBytes: Int

  /// Without BatchNorm, statistics and activations, unless they are given.
  package init(
    passSeconds: Double, lossSeconds: Double, bucketSeconds: [Double], buckets: [Int], batchSums: [Int] = [],
    optimizerSeconds: Double, additionSeconds: Double, parameters: Int, statistics: Int = 0,
    activationBytes: Int = 0
  ) {
    self.passSeconds = passSeconds
    self.lossSeconds = lossSeconds
    self.bucketSeconds = bucketSeconds
    self.buckets = buckets
    self.batchSums = batchSums
    self.optimizerSeconds = optimizerSeconds
    self.additionSeconds = additionSeconds
    self.parameters = parameters
    trained = buckets.reduce(0, +)
    self.statistics = statistics
    self.activationBytes = activationBytes
  }
}

extension StepProfile {
  /// The pass of a slice in a rank's own step: the step's processor time less what is not a pass.
  ///
  /// - Parameter stepSeconds: of a rank of so many slices that is alone, so that it updates everything.
  package func passSeconds(ofStep stepSeconds: Double, slices: Int) -> Double {
    let rest = Double(trained) * (Double(slices - 1) * additionSeconds + optimizerSeconds)
    return max(0, stepSeconds - rest) / Double(slices)
  }

  /// Measures on this machine for `seconds`, on one thread.
  init(_ model: SpeakerModel, shape: BatchShape, buckets: GradientBuckets, seconds: Double) {
    let bench = PassBench(model, shape: shape, buckets: buckets)
    bench.run()
    bench.forget()
    let end = monotonicNanoseconds() + UInt64(0.7 * seconds * 1e9)
    repeat { bench.run() } while monotonicNanoseconds() < end
    let costs = bench.perFloat(seconds: 0.3 * seconds)
    self.init(
      passSeconds: bench.pass.median, lossSeconds: bench.loss.median,
      bucketSeconds: bench.final.map(\.median),
      buckets: buckets.ranges.map(\.count), batchSums: bench.batchSums, optimizerSeconds: costs.optimizer,
      additionSeconds: costs.addition, parameters: model.layout.count,
      statistics: model.layout.statisticsCount,
      activationBytes: bench.workspace.highWater)
  }
}

/// One slice through the network again and again, with the time at which it tells its batch of itself.
private final class PassBench: GlobalBatch {
  let workspace = Workspace()
  private(set) var pass = Rounds()
  /// Until the loss is known, and until each bucket is final.
  private(set) var loss = Rounds()
  private(set) var final: [Rounds]
  /// Floats of each of BatchNorm's sums, in order.
  private(set) var batchSums: [Int] = []

  private let model: SpeakerModel
  private let shape: BatchShape
  private let buckets: GradientBuckets
  private let state: ModelState
  private let gradients: UnsafeMutablePointer<Float>
  private let labels: [Int32]
  private var step = 0
  /// When the present pass began, and how many of its buckets are final.
  private var start: UInt64 = 0
  private var finalBuckets = 0

  init(_ model: SpeakerModel, shape: BatchShape, buckets: GradientBuckets) {
    self.model = model
    self.shape = shape
    self.buckets = buckets
    final = buckets.ranges.map { _ in Rounds() }
    state = ModelState(layout: model.layout)
    state.initialize(seed: 1)
    gradients = .allocate(capacity: max(1, model.layout.trainedCount))
    gradients.initialize(repeating: 0, count: max(1, model.layout.trainedCount))
    labels = (0..<shape.samplesPerShard).map { Int32($0 % model.speakers) }
  }

  deinit { gradients.deallocate() }

  /// Forgets the times of the first pass, which touched its memory for the first time.
  func forget() {
    pass = Rounds()
    loss = Rounds()
    final = buckets.ranges.map { _ in Rounds() }
  }

  func run() {
    batchSums = []
    finalBuckets = 0
    let stream = RandomStream(seed: 1, purpose: .dropout, step: step)
    start = threadNanoseconds()
    var pass = Pass(
      samples: shape.samplesPerShard, frames: shape.frames, globalSamples: shape.samplesPerShard,
      mode: .training, state: state, gradients: gradients, workspace: workspace, dropout: stream, batch: self)
    let mels = pass.matrix(pass.rows, model.bands)
    NoiseSlices.fill(mels.base, count: mels.count, step: step)
    labels.withUnsafeBufferPointer { _ = model.gradients(mels, labels: $0.baseAddress!, &pass) }
    self.pass.add(sinceStart)
    step += 1
  }

  private var sinceStart: Double { Double(threadNanoseconds() - start) * 1e-9 }

  func sum(_ values: UnsafeMutablePointer<Float>, count: Int, ofSlice slice: Int, clock: PhaseClock) {
    batchSums.append(count)
  }

  func lossIsKnown(_ loss: Loss.Result, ofSlice slice: Int, clock: PhaseClock) { self.loss.add(sinceStart) }

  func gradientsAreFinal(from offset: Int, released: Int, ofSlice slice: Int, clock: PhaseClock) {
    let seconds = sinceStart
    while finalBuckets < buckets.count(from: offset) {
      final[finalBuckets].add(seconds)
      finalBuckets += 1
    }
  }

  func moment(clock: PhaseClock) {}

  /// Seconds a float of the optimizer and of an addition, over the whole gradient.
  func perFloat(seconds: Double) -> (optimizer: Double, addition: Double) {
    let count = model.layout.trainedCount
    let optimizer = AdamW(range: 0..<count, weightDecay: 0.01)
    let update = ParameterUpdate(parameters: state.parameters, updates: 9, learningRate: 0)
    let other = UnsafeMutablePointer<Float>.allocate(capacity: max(1, count))
    other.initialize(repeating: 0, count: max(1, count))
    defer { other.deallocate() }
    var updates = Rounds(), additions = Rounds()
    let end = monotonicNanoseconds() + UInt64(seconds * 1e9)
    repeat {
      let start = threadNanoseconds()
      optimizer.update(update, gradient: gradients)
      let updated = threadNanoseconds()
      kernel_add(count, gradients, other)
      updates.add(Double(updated - start) * 1e-9)
      additions.add(Double(threadNanoseconds() - updated) * 1e-9)
    } while monotonicNanoseconds() < end
    return (updates.median / Double(max(1, count)), additions.median / Double(max(1, count)))
  }
}
