import DataParallel
import Testing
import Measurement
import Training

/// What must hold of any prediction, and figures that can be added up by hand.
@Suite struct StepPredictionTests {
  /// 10 ms a slice; two buckets of 400,000 and 600,000 floats, final after 7 and 10 ms; updates that cost nothing.
  static let profile = StepProfile(
    passSeconds: 0.010, lossSeconds: 0.003, bucketSeconds: [0.007, 0.010], buckets: [400_000, 600_000],
    optimizerSeconds: 0,
    additionSeconds: 0, parameters: 1_000_000)
  static let shape = BatchShape(samplesPerShard: 4, frames: 128, shards: 8)
  static let gigabit = LinkModel(latency: 50e-6, perMessage: 1e-6, bandwidth: 125e6)
  static let noLink = LinkModel(latency: 0, perMessage: 0, bandwidth: .infinity)

  private func predict(
    _ ranks: Int, _ link: LinkModel = gigabit, profile: StepProfile = profile, threads: Int = 1,
    overlap: Bool = true, gradientBytes: Double = 4, cores: Int? = nil
  ) -> StepPrediction {
    StepPrediction(
      profile, link: link, ranks: ranks, threads: threads, shape: Self.shape, overlap: overlap,
      gradientBytes: gradientBytes, sharedCores: cores)
  }

  private func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-9 * max(abs(a), abs(b)) }

  @Test("a rank alone only computes, in as many waves as its threads need") func alone() {
    let alone = predict(1)
    #expect(isClose(alone.stepSeconds, 0.080))
    #expect(abs(alone.waitSeconds) < 1e-12 && alone.wireSeconds == 0 && alone.sentBytes == 0)
    #expect(
      isClose(predict(1, threads: 3).stepSeconds, 0.030), "eight slices on three threads are three waves")
  }

  @Test("where a link costs nothing ranks divide the work", arguments: [1, 2, 4, 8]) func noLink(ranks: Int) {
    #expect(isClose(predict(ranks, Self.noLink).stepSeconds, 0.080 / Double(ranks)))
  }

  /// What the loss and the first bucket need goes by while the second is computed.
  @Test("two ranks take what a calculation by hand gives") func twoRanksByHand() {
    // A rank sends half of each bucket, 0.8 and 1.2 MB, at 125 MB/s; an exchange costs 51 µs more. The last slice
    // begins at 30 ms; its loss, 33 ms, is long known when the first bucket, 37 ms, has gone.
    let exchange = 51e-6, byte = 1 / 125e6
    let firstArrived = 0.037 + exchange + 0.8e6 * byte
    // That is after the pass, which ends at 40 ms: the second bucket, ready since, goes before the first's gather.
    let secondArrived = firstArrived + exchange + 1.2e6 * byte
    let gathered = secondArrived + exchange + 0.8e6 * byte + exchange + 1.2e6 * byte
    #expect(isClose(predict(2).stepSeconds, gathered))
  }

  /// With short buckets the gather of the first has gone before the second is final.
  @Test("with short buckets the gather of the first hides as well") func gathersHideToo() {
    let link = LinkModel(latency: 0, perMessage: 0, bandwidth: 2e9)
    // 0.4 ms for the first bucket, 0.4 for its gather; 0.6 and 0.6 for the second, after the pass.
    #expect(isClose(predict(2, link).stepSeconds, 0.040 + 2 * 1.2e6 / 2e9))
    #expect(
      isClose(predict(2, link, overlap: false).stepSeconds, 0.040 + 2 * 2e6 / 2e9 + 32 / 2e9),
      "nothing hides: the loss, the gradient, the parameters")
  }

  /// An update in the middle of the pass makes it longer, wherever it falls.
  @Test("an update in the middle of the pass makes it longer") func updates() {
    let profile = StepProfile(
      passSeconds: 0.010, lossSeconds: 0.003, bucketSeconds: [0.007, 0.010], buckets: [400_000, 600_000],
      optimizerSeconds: 4e-9, additionSeconds: 0, parameters: 1_000_000)
    // Half of each bucket: 0.8 ms in the pass, 1.2 ms after it.
    #expect(isClose(predict(2, Self.noLink, profile: profile).stepSeconds, 0.042))
    let link = LinkModel(latency: 0, perMessage: 0, bandwidth: 2e9)
    #expect(isClose(predict(2, link, profile: profile).stepSeconds, 0.0408 + 0.0006 + 0.0012 + 0.0006))
  }

  /// What a rank's own step takes beats what a slice alone does.
  @Test("what a rank's own step took beats what a slice alone does") func measured() {
    let slower = StepPrediction(
      Self.profile, passSeconds: 0.012, link: Self.noLink, ranks: 2, threads: 1, shape: Self.shape,
      overlap: true)
    #expect(isClose(slower.stepSeconds, 0.048))
    let profile = StepProfile(
      passSeconds: 0.010, lossSeconds: 0.003, bucketSeconds: [0.010], buckets: [1_000_000],
      optimizerSeconds: 2e-9, additionSeconds: 1e-9, parameters: 1_000_000)
    // Four slices of 12 ms, three additions of 1 ms, an update of 2 ms.
    #expect(isClose(profile.passSeconds(ofStep: 0.053, slices: 4), 0.012))
  }

  @Test("overlap makes a step shorter, and computes no less", arguments: [2, 4, 8, 16, 64]) func overlap(
    ranks: Int
  ) {
    #expect(predict(ranks).stepSeconds < predict(ranks, overlap: false).stepSeconds)
    #expect(predict(ranks).computeSeconds == predict(ranks, overlap: false).computeSeconds)
  }

  /// (R − 1)/R · 8 bytes a float, (R − 1)/R · 6 with bfloat16, whatever the number of ranks.
  @Test(
    "a rank sends its share of the gradient once, whatever the number of ranks", arguments: [2, 4, 8, 16])
  func sent(ranks: Int) {
    let share = Double(ranks - 1) / Double(ranks)
    #expect(isClose(predict(ranks).sentBytes, share * 8e6))
    #expect(isClose(predict(ranks, gradientBytes: 2).sentBytes, share * 6e6))
  }

  /// Three of eight shards are not one node of the tree, so more than the gradient crosses.
  @Test("a rank whose shards are no node of the tree sends more") func unevenShards() {
    #expect(predict(3).sentBytes > 2.0 / 3 * 8e6 * 1.2)
  }

  @Test("beyond the shards there are, the batch grows with the ranks") func batch() {
    #expect(predict(8).batchSize == 32 && predict(16).batchSize == 64 && predict(1_024).batchSize == 4_096)
    #expect(isClose(predict(1_024).computeSeconds, 0.010))
  }

  @Test("BatchNorm waits in each of its sums") func batchNorm() {
    let sums = [160, 320, 160]
    let normalized = StepProfile(
      passSeconds: 0.010, lossSeconds: 0.003, bucketSeconds: [0.010], buckets: [1_000_000], batchSums: sums,
      optimizerSeconds: 0,
      additionSeconds: 0, parameters: 1_000_000)
    let plain = StepProfile(
      passSeconds: 0.010, lossSeconds: 0.003, bucketSeconds: [0.010], buckets: [1_000_000],
      optimizerSeconds: 0,
      additionSeconds: 0,
      parameters: 1_000_000)
    let added = predict(4, profile: normalized).stepSeconds - predict(4, profile: plain).stepSeconds
    let floats = Double(sums.reduce(0, +))
    #expect(isClose(added, 3 * 53e-6 + floats * 4 * 3 / 125e6))
  }

  /// Four ranks on two cores: each takes twice as long, with its messages too.
  @Test("ranks that share a core take as many times longer, their messages too") func sharedCores() {
    #expect(isClose(predict(4, Self.noLink, cores: 2).stepSeconds, predict(2, Self.noLink).stepSeconds))
    #expect(predict(2, cores: 2).stepSeconds == predict(2).stepSeconds)
    let shared = Self.gigabit.shared(by: 2)
    #expect(isClose(shared.exchange(ranks: 4, bytes: 1e6), 50e-6 + 6e-6 + 2e6 / 125e6))
  }
}
