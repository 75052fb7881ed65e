import Collectives
import Foundation
import SpeakerNet
import TensorCore
import Testing
import Training

/// After its first steps a training step takes no memory: everything lies in arenas, pools and flat buffers.
///
/// The proof is a famine: from the fourth step on there is no byte to be had, on any thread, so whoever asks for
/// one, if only for a moment, ends the process. It sees every request of ours and of OpenBLAS; what MPI does is not
/// part of it, since the group is this process alone.
@Suite("Memory of a step") struct AllocationTests {
  @Test("nothing is allocated", arguments: SmallTraining.recipes.keys.sorted())
  func nothing(recipe: String) async {
    await #expect(processExitsWith: .success) { [recipe = recipe as String] in
      try stepsInFamine(recipe)
    }
  }

  @Test("a single object that a step made would be seen") func control() async {
    await #expect(processExitsWith: .failure) { try stepsInFamine("transformer", wasting: true) }
  }
}

/// Ends the process with status 0 after ten steps, seven of them without memory.
private func stepsInFamine(_ recipe: String, wasting: Bool = false) throws {
  KernelSet.start()
  let overrides = SmallTraining(recipe, data: "").settings.map { "\($0)=\($1)" }
  let configuration = try Configuration.load(file: nil, overrides: overrides)
  let model = try SpeakerModel(configuration.model, speakers: 5)
  let trainer = try Trainer(SoloGroup(), configuration: configuration, model: model, threads: 1)
  let source: any SliceSource = FamineSource(shape: configuration.batchShape, firstStep: 3, isWasting: wasting)
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

  func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws {
    if step == firstStep { Famine.begin() }
    let stream = RandomStream(seed: 5, purpose: .synthesis, step: step, shard: shard)
    for index in 0..<shape.samplesPerShard * shape.frames * SpeakerModel.melBands {
      mels[index] = stream.uniform(at: index)
    }
    for sample in 0..<shape.samplesPerShard { labels[sample] = Int32((shard + sample) % 5) }
    guard isWasting, step > firstStep else { return }
    let waste = [step, Int(getpid())]
    labels[0] = Int32(waste.map { $0 * 2 }.reduce(0, +) % 5)
  }
}

private enum Famine {
  /// A list of all blocks, so that the compiler cannot see that they serve nothing and leave them out. Only one
  /// worker runs at a time.
  nonisolated(unsafe) static var keptBlocks: UnsafeMutableRawPointer?

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
        block.storeBytes(of: keptBlocks, as: UnsafeMutableRawPointer?.self)
        keptBlocks = block
      }
      // Every small size has free lists of its own.
      size = size > 4096 ? size / 2 : size - 8
    }
  }
}
