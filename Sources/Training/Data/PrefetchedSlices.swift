import DataParallel
import Threads

/// Slices that are made beside the steps, on threads of their own, so that a step finds them ready.
///
/// What a slice holds depends on its shard and step alone, so nothing changes but the time at which it is made. One that
/// is not ready is made by whoever asks for it. Belongs to one trainer, whose steps ask for every shard once.
package final class PrefetchedSlices: SliceSource {
  private let work: Work

  /// - Parameters:
  ///   - slices: what makes a slice.
  ///   - shards: those that will be asked for.
  ///   - values: numbers that a slice's features have at most.
  ///   - samples: of a slice.
  ///   - threads: how many make slices beside the steps.
  package init(_ slices: TrainingSlices, shards: Range<Int>, values: Int, samples: Int, threads: Int) {
    work = Work(slices, shards, values: values, samples: samples)
    for _ in 0..<max(1, threads) {
      // No thread to be had is no failure: who asks makes it then.
      _ = startDetachedThread { [work] in work.run() }
    }
  }

  deinit { work.stop() }

  package func frames(ofStep step: Int) -> Int? { work.slices.frames(ofStep: step) }

  package func fill(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws {
    try work.take(shard: shard, step: step, mels: mels, labels: labels)
  }

  package func mix(
    shard: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafePointer<Int32>,
    others: UnsafeMutablePointer<Int32>, parts: UnsafeMutablePointer<Float>
  ) -> Bool {
    work.slices.mix(shard: shard, step: step, mels: mels, labels: labels, others: others, parts: parts)
  }
}

/// What the threads share.
private final class Work: @unchecked Sendable {
  // Unchecked: everything that changes is looked at under the monitor, but for a slice that is being made or taken,
  // which its shard's `isBusy`, or its place before `wanted + depth`, keeps from the others.

  /// Steps that are made in advance.
  private static let depth = 3
  /// Conditions of the monitor: there is a slice to make; one was made.
  private static let toMake = 0, made = 1

  /// The slices of one shard that were made and not yet taken: step `s` lies in place `s % depth`.
  private struct Shard {
    /// The step that is asked for next.
    var wanted = 0
    /// The step that is made next; those from `wanted` on before it are ready.
    var next = 0
    /// Whether a slice of it is being made.
    var isBusy = false
    /// Why the last of those that are ready could not be made.
    var failure: (any Error)?
    let mels: UnsafeMutablePointer<Float>
    let labels: UnsafeMutablePointer<Int32>
  }

  let slices: TrainingSlices
  private let first: Int
  private let values: Int
  private let samples: Int
  private let monitor = Monitor(conditions: 2)
  private var shards: [Shard]
  /// Nothing is made before a step has been asked for: it says where the run begins.
  private var isStarted = false
  private var isStopped = false

  init(_ slices: TrainingSlices, _ range: Range<Int>, values: Int, samples: Int) {
    self.slices = slices
    first = range.lowerBound
    self.values = values
    self.samples = samples
    shards = range.map { _ in
      let shard = Shard(
        mels: .allocate(capacity: max(1, Self.depth * values)),
        labels: .allocate(capacity: max(1, Self.depth * samples)))
      shard.mels.initialize(repeating: 0, count: Self.depth * values)
      shard.labels.initialize(repeating: 0, count: Self.depth * samples)
      return shard
    }
  }

  deinit {
    for shard in shards {
      shard.mels.deallocate()
      shard.labels.deallocate()
    }
  }

  func stop() {
    monitor.withLock {
      isStopped = true
      monitor.wakeAll(on: Self.toMake)
    }
  }

  /// Makes slices until it is stopped: always of the shard that has the fewest.
  func run() {
    while let (index, step) = nextToMake() {
      let shard = monitor.withLock { shards[index] }
      let place = step % Self.depth
      var failure: (any Error)?
      do {
        try slices.fill(
          shard: first + index, step: step, mels: shard.mels + place * values,
          labels: shard.labels + place * samples)
      } catch { failure = error }
      monitor.withLock {
        shards[index].isBusy = false
        // Taken by another step meanwhile: then it is nobody's.
        if shards[index].next == step {
          shards[index].next = step + 1
          shards[index].failure = failure
        }
        monitor.wakeAll(on: Self.made)
        monitor.wakeAll(on: Self.toMake)
      }
    }
  }

  private func nextToMake() -> (index: Int, step: Int)? {
    monitor.withLock {
      while !isStopped {
        let open = shards.indices.filter { index in
          let shard = shards[index]
          return isStarted && !shard.isBusy && shard.failure == nil && shard.next < shard.wanted + Self.depth
        }
        if let index = open.min(by: { shards[$0].next < shards[$1].next }) {
          shards[index].isBusy = true
          return (index, shards[index].next)
        }
        monitor.wait(on: Self.toMake)
      }
      return nil
    }
  }

  /// Copies a slice that is ready, or makes it.
  func take(
    shard number: Int, step: Int, mels: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
  ) throws {
    let index = number - first
    let isReady = monitor.withLock {
      isStarted = true
      // What is being made is worth waiting for: it was begun earlier.
      while shards[index].isBusy && !(shards[index].wanted == step && shards[index].next > step) {
        monitor.wait(on: Self.made)
      }
      if shards[index].wanted == step, shards[index].next > step { return true }
      // Made here; those in advance are of other steps, or not there.
      shards[index].isBusy = true
      (shards[index].wanted, shards[index].next, shards[index].failure) = (step, step, nil)
      return false
    }
    guard isReady else {
      defer { finish(index, step, wasMadeHere: true) }
      return try slices.fill(shard: number, step: step, mels: mels, labels: labels)
    }
    let (shard, failure) = monitor.withLock {
      (shards[index], shards[index].next == step + 1 ? shards[index].failure : nil)
    }
    defer { finish(index, step, wasMadeHere: false) }
    if let failure { throw failure }
    let place = step % Self.depth
    mels.update(from: shard.mels + place * values, count: samples * (values / samples))
    labels.update(from: shard.labels + place * samples, count: samples)
  }

  private func finish(_ index: Int, _ step: Int, wasMadeHere: Bool) {
    monitor.withLock {
      shards[index].wanted = step + 1
      if wasMadeHere {
        shards[index].isBusy = false
        shards[index].next = max(shards[index].next, step + 1)
      }
      monitor.wakeAll(on: Self.toMake)
      monitor.wakeAll(on: Self.made)
    }
  }
}
