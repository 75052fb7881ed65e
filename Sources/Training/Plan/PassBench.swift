import CKernels
import Diagnostics
import Glibc
import SpeakerNet
import TensorCore

/// One slice through the network again and again.
final class PassBench {
  let workspace = Workspace()
  private(set) var pass = Rounds()
  /// Until the loss is known, and until each bucket is final.
  private(set) var loss = Rounds()
  private(set) var finished: [Rounds]
  private(set) var batchSums: [Int] = []

  private let model: SpeakerModel
  private let shape: BatchShape
  private let buckets: [Range<Int>]
  private let state: ModelState
  private let gradients: UnsafeMutablePointer<Float>
  private let labels: [Int32]
  private var step = 0

  init(_ model: SpeakerModel, shape: BatchShape, buckets: GradientBuckets) {
    self.model = model
    self.shape = shape
    self.buckets = buckets.ranges
    finished = buckets.ranges.map { _ in Rounds() }
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
    finished = buckets.map { _ in Rounds() }
  }

  func run() {
    var sums: [Int] = []
    var next = 0
    var times: [UInt64] = []
    var lossTime: UInt64 = 0
    let stream = RandomStream(seed: 1, purpose: .dropout, step: step)
    let start = threadNanoseconds()
    withoutActuallyEscaping({ (offset: Int, _: Int, _: PhaseClock) in
      while next < self.buckets.count, self.buckets[next].lowerBound >= offset {
        times.append(threadNanoseconds() - start)
        next += 1
      }
    }) { report in
      let sum = BatchSum(writesStatistics: true) { _, count, _ in sums.append(count) }
      var pass = Pass(
        samples: shape.samplesPerShard, frames: shape.frames, globalSamples: shape.samplesPerShard,
        mode: .training, state: state, gradients: gradients, workspace: workspace, dropout: stream,
        batchSum: sum,
        watch: PassWatch(loss: { _, _ in lossTime = threadNanoseconds() - start }, gradients: report))
      let mels = pass.matrix(pass.rows, SpeakerModel.melBands)
      for index in 0..<mels.count { mels.base[index] = Float(index % 29) * 0.1 - 1.4 }
      labels.withUnsafeBufferPointer { _ = model.gradients(mels, labels: $0.baseAddress!, &pass) }
    }
    pass.add(Double(threadNanoseconds() - start) * 1e-9)
    loss.add(Double(lossTime) * 1e-9)
    for (bucket, time) in times.enumerated() { finished[bucket].add(Double(time) * 1e-9) }
    batchSums = sums
    step += 1
  }

  /// Seconds a float of the optimizer and of an addition, over the whole gradient.
  func perFloat(seconds: Double) -> (optimizer: Double, addition: Double) {
    let count = model.layout.trainedCount
    let optimizer = AdamW(range: 0..<count, weightDecay: 0.01)
    let other = UnsafeMutablePointer<Float>.allocate(capacity: max(1, count))
    other.initialize(repeating: 0, count: max(1, count))
    defer { other.deallocate() }
    var updates = Rounds(), additions = Rounds()
    let end = monotonicNanoseconds() + UInt64(seconds * 1e9)
    repeat {
      let start = threadNanoseconds()
      optimizer.update(state.parameters, gradient: gradients, updates: 9, learningRate: 0)
      let updated = threadNanoseconds()
      kernel_add(count, gradients, other)
      updates.add(Double(updated - start) * 1e-9)
      additions.add(Double(threadNanoseconds() - updated) * 1e-9)
    } while monotonicNanoseconds() < end
    return (updates.median / Double(max(1, count)), additions.median / Double(max(1, count)))
  }
}

/// Processor time of this thread: what others do on a busy machine does not count.
private func threadNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
