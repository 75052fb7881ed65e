import Diagnostics
import Foundation
import TestSupport
import Testing

import Verification

@Suite("Identification") struct IdentificationTests {
  private func store() throws -> SpeakerStore {
    var store = SpeakerStore(network: "n", width: 2)
    try store.enroll("ann", [3, 0])
    try store.enroll("bob", [0, 0.1])
    try store.enroll("ann", [0, 5])
    return store
  }

  @Test("a speaker is the mean of unit embeddings, whatever their lengths and in whatever order they came")
  func scores() throws {
    let store = try store()
    #expect(store.speakers == ["ann", "bob"] && store.recordings == [2, 1])
    let scores = try #require(store.scores([7, 7]))
    #expect(abs(scores[0] - 1) < 1e-12 && abs(scores[1] - 0.5.squareRoot()) < 1e-12)
    #expect(store.scores([0, 0]) == nil)
    #expect(try #require(SpeakerStore.score([1, 0], [-2, 0])) == -1)
    expectFailure(saying: "\"eve\" has an embedding without a direction") {
      var store = store
      try store.enroll("eve", [0, 0])
    }
  }

  @Test("a store is read as it was written; a damaged one is read or refused, and never more") func file()
    throws
  {
    let folder = TemporaryFolder.inMemory()
    let store = try store()
    #expect(try SpeakerStore(reading: folder.write(store.serialized, to: "s")) == store)
    let empty = SpeakerStore(network: "n", width: 3)
    #expect(try SpeakerStore(reading: folder.write(empty.serialized, to: "s")) == empty)
    var random = SeededGenerator(seed: 31)
    var refused = 0
    for _ in 0..<1_500 {
      let path = try folder.write(store.serialized.mutated(using: &random), to: "s")
      do {
        let read = try SpeakerStore(reading: path)
        #expect(read.scores([Float](repeating: 1, count: read.width)[...])?.count == read.speakers.count)
      } catch {
        #expect(error.kind == .badData)
        refused += 1
      }
    }
    #expect(refused > 500)
    try Self.embeddings.write(to: folder("e.safetensors"))
    expectFailure(saying: "is no store of speakers") { try SpeakerStore(reading: folder("e.safetensors")) }
  }

  private static let embeddings = try! EmbeddingSet(keys: ["a"], width: 1, values: [1], source: "test")

  @Test("rates of closed and open sets are counted as their definitions say, ties against the speaker")
  func rates() {
    var rates = IdentificationRates()
    #expect(rates.accuracy() == nil && rates.threshold(falsePositiveRate: 0.1) == nil)
    rates.add([0.9, 0.5, 0.1], speaker: 0)
    rates.add([0.6, 0.6, 0.1], speaker: 1)
    rates.add([0.2, 0.3, 0.1], speaker: 2)
    for best in [0.8, 0.4, 0.3, 0.2] { rates.add([0, best], speaker: nil) }
    #expect(rates.accuracy() == 1.0 / 3 && rates.accuracy(top: 2) == 2.0 / 3 && rates.accuracy(top: 3) == 1)
    #expect(rates.falsePositiveRate(threshold: 0.3) == 0.75)
    #expect(rates.falseNegativeRate(threshold: 0.6, top: 3) == 1.0 / 3)
    #expect(rates.falseNegativeRate(threshold: 0.6) == 2.0 / 3)
    for share in [0, 0.25, 0.3, 0.5, 0.99] {
      let threshold = rates.threshold(falsePositiveRate: share)!
      #expect(rates.falsePositiveRate(threshold: threshold)! <= share)
      #expect(rates.falsePositiveRate(threshold: threshold.nextDown)! > share)
    }
    #expect(rates.threshold(falsePositiveRate: 1) == -.infinity)
  }
}
