import TestSupport
import Testing

/// The same bits alone and under a real `mpirun`.
@Suite("Training under mpirun") struct TrainingBitsTests {
  @Test("50 steps with dropout on, alone and on 1 to 4 ranks", arguments: TrainingRun.recipes.keys.sorted())
  func fiftySteps(recipe: String) throws {
    let alone = try TrainingRun(recipe, steps: 50)
    #expect(try Program.run(alone.arguments(threads: 2)).status == 0)
    let expected = try alone.result()
    for ranks in recipe == "conformer" ? [1, 2, 3, 4, 8] : [2, 3, 4] {
      let run = try TrainingRun(recipe, steps: 50)
      let outcome = try Program.run(run.arguments(threads: 1 + ranks % 2), ranks: ranks)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try run.result().differences(from: expected) == [], "\(recipe) on \(ranks) ranks")
    }
  }

  @Test("the comparison sees another seed") func control() throws {
    let results = try [1, 2].map { seed in
      let run = try TrainingRun(steps: 20, settings: ["train.seed=\(seed)"])
      #expect(try Program.run(run.arguments()).status == 0)
      return try run.result()
    }
    #expect(results[0].differences(from: results[1]).count == 4)
  }
}
