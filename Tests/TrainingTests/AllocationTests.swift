import Collectives
import DataParallel
import Dispatch
import Foundation
import SpeakerNet
import Synchronization
import TensorCore
import TestSupport
import Testing
import Training

/// After its first steps a training step takes no memory: everything lies in arenas, pools and flat buffers.
///
/// The proof is a famine: from the fourth step on there is no byte to be had, on any thread, so whoever asks for
/// one, if only for a moment, ends the process. It sees every request of ours and of OpenBLAS; what MPI does is not
/// part of it, since the group is this process alone.
@Suite("Memory of a step") struct AllocationTests {
  /// On one thread with the gradient in one piece, and on two that send it bucket by bucket.
  @Test("nothing is allocated", arguments: SmallTraining.recipes.keys.sorted(), [1, 2])
  func nothing(recipe: String, threads: Int) async {
    await #expect(processExitsWith: .success) { [recipe = recipe as String, threads = threads as Int] in
      try stepsInFamine(recipe, threads: threads)
    }
  }

  @Test("nor where crops are read and everything is done to them", arguments: [1, 2])
  func augmented(threads: Int) async {
    await #expect(processExitsWith: .success) { [threads = threads as Int] in
      try stepsInFamine("transformer", threads: threads, source: try AugmentedSource(threads: threads))
    }
  }

  @Test("a single object that a step made would be seen", arguments: [1, 2])
  func control(threads: Int) async {
    await #expect(processExitsWith: .failure) { [threads = threads as Int] in
      try stepsInFamine("transformer", threads: threads, wasting: true)
    }
  }
}

/// Ends the process with status 0 after ten steps, seven of them without memory.
private func stepsInFamine(
  _ recipe: String, threads: Int, wasting: Bool = false, source: AugmentedSource? = nil
) throws {
  KernelSet.start()
  let overrides = SmallTraining(recipe, data: "").settings.map { "\($0)=\($1)" }
  let configuration = try source?.configuration ?? Configuration.load(file: nil, overrides: overrides)
  let model = try SpeakerModel(configuration.model, speakers: 15)
  let trainer = try Trainer(
    SoloGroup(), configuration: configuration, model: model, threads: threads,
    bucketFloats: threads == 1 ? GradientBuckets.leastFloats : 1)
  let famine = FamineSource(
    shape: configuration.batchShape, firstStep: 3, isWasting: wasting,
    pairing: threads == 2 ? Pairing(slices: 3 * configuration.train.shards) : nil, slices: source?.slices)
  let source: any SliceSource = famine
  for _ in 0..<3 { _ = try trainer.takeStep(from: source) }
  Famine.begin()
  var loss: Float = 0
  for _ in 3..<10 { loss = try trainer.takeStep(from: source).loss }
  _exit(loss.isFinite ? 0 : 1)
}

/// Batches out of nothing. In its first hungry step each worker takes away what its own thread could still find.
private struct FamineSource: SliceSource {
  let shape: BatchShape
  let firstStep: Int
  let isWasting: Bool
  /// What holds two threads side by side in the steps before; `nil` for one thread.
  let pairing: Pairing?
  /// What is read in its place.
  let slices: TrainingSlices?

  func frames(ofStep step: Int) -> Int? { slices?.frames(ofStep: step) }

  func mix(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafePointer<Int32>,
    others: UnsafeMutablePointer<Int32>, parts: UnsafeMutablePointer<Float>
  ) -> Bool {
    slices?.mix(shard: shard, step: step, mels: mels, labels: labels, others: others, parts: parts) ?? false
  }

  func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws {
    if step < firstStep { pairing?.meet() }
    if step == firstStep { Famine.begin() }
    if let slices { return try slices.fill(shard: shard, step: step, mels: mels, labels: labels) }
    let stream = RandomStream(seed: 5, purpose: .synthesis, step: step, shard: shard)
    for index in 0..<shape.samplesPerShard * shape.frames * SpeakerModel.homeworkBands {
      mels[index] = stream.uniform(at: index)
    }
    for sample in 0..<shape.samplesPerShard { labels[sample] = Int32((shard + sample) % 5) }
    guard isWasting, step > firstStep else { return }
    let waste = [step, Int(getpid())]
    labels[0] = Int32(waste.map { $0 * 2 }.reduce(0, +) % 5)
  }
}

/// Crops of a corpus with everything done to them, as a training reads them.
private struct AugmentedSource {
  let configuration: Configuration
  let slices: TrainingSlices
  /// The folders, which are there as long as they are.
  private let corpus: SmallCorpus, noise: SmallNoise

  init(threads: Int) throws {
    corpus = try SmallCorpus()
    noise = try SmallNoise()
    var training = SmallTraining("transformer", data: "")
    training.settings.merge(AugmentedTrainingTests.settings(noise)) { $1 }
    training.settings["data.holdout_speakers"] = "0"
    training.settings["features.mean_norm"] = "utterance"
    configuration = try Configuration.load(file: nil, overrides: training.settings.map { "\($0)=\($1)" })
    let data = try TrainingData(directory: try corpus.pack(files: 8), configuration)
    let shards = 0..<configuration.train.shards, console = Console(talks: false)
    try data.prepare(shards, threads: threads, console: console)
    let augmentation = try AugmentationData(configuration, for: data, SoloGroup(), console: console)
    try augmentation.prepare(threads: threads, console: console)
    slices = try augmentation.slices(of: shards, data, configuration)
  }
}

/// Leads two threads through their slices in step, so that the most that they ever hold at once, gradients above
/// all, does not hang on which of them happens to be faster.
private final class Pairing: Sendable {
  private let arrivals = Atomic(0)
  private let doors: [DispatchSemaphore]

  init(slices: Int) { doors = (0..<slices / 2).map { _ in DispatchSemaphore(value: 0) } }

  /// Waits for the other thread; then both multiply at once, for which OpenBLAS takes memory of its own.
  func meet() {
    let (pair, place) = arrivals.add(1, ordering: .sequentiallyConsistent).oldValue
      .quotientAndRemainder(dividingBy: 2)
    if place == 1 {
      doors[pair].signal()
    } else {
      precondition(doors[pair].wait(timeout: .now() + 120) == .success, "the other thread does not come")
    }
    let arena = Arena()
    let (a, b, c) = (arena.matrix(512, 512), arena.matrix(512, 512), arena.matrix(512, 512))
    a.clear()
    b.clear()
    multiply(a, b, into: c)
  }
}

private enum Famine {
  /// The last of all blocks, each of which knows the one before, so that the compiler cannot see that they serve
  /// nothing and leave them out.
  private static let keptBlocks = Atomic<UInt>(0)

  /// Takes all memory that malloc can give on this thread and lets it have no more.
  static func begin() {
    // The crash is the point; nobody has the memory to report it.
    for signalNumber in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS] { signal(signalNumber, SIG_DFL) }
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
    limit.rlim_cur = 0
    setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
    var size = 1 << 30
    while size >= 8 {
      while let block = malloc(size) {
        let before = keptBlocks.exchange(UInt(bitPattern: block), ordering: .relaxed)
        block.storeBytes(of: before, as: UInt.self)
      }
      // Every small size has free lists of its own.
      size = size > 4096 ? size / 2 : size - 8
    }
  }
}
