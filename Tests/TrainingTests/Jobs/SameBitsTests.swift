import Foundation
import TestSupport
import Testing
import Training

/// The project's signature: a run's bits do not depend on how many processes or threads computed it.
@Suite("The same bits on any number of ranks") struct SameBitsTests {
  typealias Group = SmallTraining.Group

  static let groups: [(group: Group, threads: Int)] = [
    (.solo, 2), (.solo, 8), (.threads(ranks: 1), 1), (.threads(ranks: 2), 1), (.threads(ranks: 2), 2),
    (.threads(ranks: 3), 1), (.threads(ranks: 3), 2), (.threads(ranks: 4), 1), (.threads(ranks: 4), 2),
    (.threads(ranks: 8), 1), (.threads(ranks: 8), 2),
  ]

  @Test("50 steps with dropout on", arguments: SmallTraining.recipes.keys.sorted())
  func fiftySteps(recipe: String) throws {
    let corpus = try SmallCorpus()
    let training = SmallTraining(recipe, data: corpus.path)
    let alone = try training(.solo)
    // It is a training: a loss that does not fall would make any comparison easy.
    #expect(alone.losses.last < 0.8 * alone.losses.first, "\(alone.losses)")
    #expect(alone.metrics.lines(of: "valid").count == 2)
    for (group, threads) in Self.groups {
      let other = try training(group, threads: threads)
      #expect(other.differences(from: alone) == [], "\(recipe) \(group), \(threads) threads")
    }
  }

  @Test("what should change the bits does") func control() throws {
    let corpus = try SmallCorpus()
    let training = SmallTraining("transformer", data: corpus.path)
    let alone = try training(.solo)
    for (key, value) in [
      ("train.seed", "88"), ("model.encoder.dropout", "0"), ("train.shards", "4"),
      ("train.learning_rate", "0.01001"), ("train.segment_length", "17"),
    ] {
      var other = training
      other.settings[key] = value
      let differences = try other(.solo).differences(from: alone)
      #expect(differences.contains { $0.hasPrefix("weight ") }, "\(key)=\(value)")
      #expect(differences.contains("metrics.jsonl"), "\(key)=\(value)")
    }
  }

  @Test("a number of shards that is no power of two, on ranks that do not divide it")
  func sixShards() throws {
    let corpus = try SmallCorpus()
    var training = SmallTraining("conformer", data: corpus.path)
    training.settings["train.batch_size"] = "24"
    training.settings["train.shards"] = "6"
    let alone = try training(.solo)
    for ranks in 1...6 {
      let other = try training(.threads(ranks: ranks), threads: 1 + ranks % 2)
      #expect(other.differences(from: alone) == [], "\(ranks) ranks")
    }
  }

  @Test("packed data", arguments: [8, 16, 24])
  func packed(files: Int) throws {
    let corpus = try SmallCorpus()
    let loose = SmallTraining("transformer", data: corpus.path)
    let packed = SmallTraining("transformer", data: try corpus.pack(files: files))
    let alone = try loose(.solo)
    #expect(try packed(.solo).differences(from: alone) == [])
    #expect(try packed(.threads(ranks: 3)).differences(from: alone) == [])
  }

  @Test("MPI's kind of sum has no order to promise, but on one rank it is the same")
  func reduction() throws {
    let corpus = try SmallCorpus()
    var training = SmallTraining("transformer", data: corpus.path)
    let ordered = try training(.solo)
    training.settings["train.reduction"] = "mpi"
    #expect(try training(.solo).differences(from: ordered) == [])
    let two = try training(.threads(ranks: 3))
    #expect(abs(two.losses.last - ordered.losses.last) < 0.05 * ordered.losses.last)
  }
}
