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
      bucketSeconds: bench.finished.map(\.median),
      buckets: buckets.ranges.map(\.count), batchSums: bench.batchSums, optimizerSeconds: costs.optimizer,
      additionSeconds: costs.addition, parameters: model.layout.count,
      statistics: model.layout.statisticsCount,
      activationBytes: bench.workspace.highWater)
  }
}
