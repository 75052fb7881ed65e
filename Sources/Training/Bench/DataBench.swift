import Collectives
import SpeechData
import TensorCore

/// Measures the data path alone: random crops copied from the mapped shards into slices, as a step has them.
struct DataBench<C: Communicator> {
  private static var rounds: Int { 9 }

  let setup: BenchSetup<C>
  let seconds: Double

  /// Segments a second. Collective.
  func measure() throws -> RateFigures {
    let slices = try setup.slices()
    let shape = setup.configuration.batchShape
    let run = setup.run
    let team = ThreadTeam(workers: setup.threads, seats: setup.threads)
    let arenas = (0..<setup.threads).map { _ in Arena() }
    var failure: (any Error)?

    /// The slices of this rank for some steps, each on whichever thread is free.
    func fill(steps: Range<Int>) throws {
      team.forEach(run.count) { item, worker in
        let arena = arenas[worker]
        arena.reset()
        let mels = arena.floats(shape.samplesPerShard * shape.frames * Corpus.bins)
        let labels = arena.integers(shape.samplesPerShard)
        do {
          for step in steps {
            try slices.fill(shard: run.lowerBound + item, step: step, mels: mels, labels: labels)
          }
        } catch { team.withLock { failure = error } }
      }
      try setup.group.agreeing { if let failure { throw failure } }
    }

    let pace = try setup.group.seconds { try fill(steps: 0..<16) } / 16
    let steps = max(1, Int(seconds / Double(Self.rounds) / pace))
    var rates = Rounds()
    for round in 0..<Self.rounds {
      let range = round * steps..<(round + 1) * steps
      rates.add(Double(steps * shape.samples) / (try setup.group.seconds { try fill(steps: range) }))
    }
    return try RateFigures(setup, unit: "segments", rates: rates, memory: ProcessMemory.peakWithoutCorpus)
  }
}
