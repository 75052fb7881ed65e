import Diagnostics
import SpeechData
import TestSupport
import Testing

@Suite("Sampling by speakers") struct SpeakerSamplingTests {
  /// Speakers 0, 10, 20, … with 1 to 9 utterances each.
  private let members = (0..<9).flatMap { s in (0...s).map { (utterance: 100 * s + $0, label: 10 * s) } }

  private func draws(
    _ perSpeaker: Int, slice: Int, steps: Range<Int>, seed: UInt64 = 87, shard: Int = 0
  ) throws -> [[Int]] {
    var sampler = try SpeakerSampler(
      members: members, perSpeaker: perSpeaker, sliceSize: slice, seed: seed, shard: shard)
    return steps.map { step in (0..<slice).map { sampler.utterance(step: step, slot: $0) } }
  }

  @Test("every speaker comes once an epoch, with as many utterances in a row", arguments: [1, 2, 3, 6])
  func groups(perSpeaker: Int) throws {
    let drawn = try draws(perSpeaker, slice: 6, steps: 0..<90).flatMap { $0 }
    let groups = stride(from: 0, to: drawn.count, by: perSpeaker).map { Array(drawn[$0..<$0 + perSpeaker]) }
    #expect(groups.allSatisfy { Set($0.map { $0 / 100 }).count == 1 })
    for epoch in 0..<groups.count / 9 {
      let speakers = groups[epoch * 9..<(epoch + 1) * 9].map { $0[0] / 100 }
      #expect(speakers.sorted() == Array(0..<9))
    }
  }

  @Test("of a speaker, all utterances come before one comes again") func rounds() throws {
    let drawn = try draws(2, slice: 6, steps: 0..<300).flatMap { $0 }
    for speaker in 0..<9 {
      let own = drawn.filter { $0 / 100 == speaker }, count = speaker + 1
      for round in 0..<own.count / count {
        #expect(Set(own[round * count..<(round + 1) * count]).count == count)
      }
      if count > 3 {
        let rounds = (0..<own.count / count).map { Array(own[$0 * count..<($0 + 1) * count]) }
        #expect(Set(rounds).count > 1)
      }
    }
  }

  @Test("a step can be asked for at any time, and depends on seed and shard") func anyTime() throws {
    let all = try draws(3, slice: 6, steps: 0..<60)
    for step in [59, 3, 40, 0] { #expect(try draws(3, slice: 6, steps: step..<step + 1) == [all[step]]) }
    #expect(try draws(3, slice: 6, steps: 0..<60, seed: 88) != all)
    #expect(try draws(3, slice: 6, steps: 0..<60, shard: 1) != all)
  }

  @Test("a shard without members is refused") func nothing() {
    #expect(throws: ShardSampler.nothingToDraw(3)) {
      try SpeakerSampler(members: [], perSpeaker: 1, sliceSize: 2, seed: 1, shard: 3)
    }
  }
}

@Suite("Held-out speakers") struct SpeakerSelectionTests {
  private let speakers = (0..<100).map { "id\(10_000 + $0)" }

  @Test("without any the labels are the corpus's") func none() throws {
    let all = try SpeakerSelection(of: speakers, holdingOut: 0)
    #expect(all.names == speakers && all.labels == Array(0..<100).map(Optional.init))
  }

  @Test("the others keep their order and close their ranks") func labels() throws {
    let some = try SpeakerSelection(of: speakers, holdingOut: 30)
    #expect(some.names.count == 70 && some.labels.filter { $0 == nil }.count == 30)
    #expect(some.labels.compactMap(\.self) == Array(0..<70))
    for (speaker, label) in some.labels.enumerated() {
      if let label { #expect(some.names[label] == speakers[speaker]) }
    }
  }

  @Test("more hold out the same and more, in whatever order the speakers are") func nested() throws {
    func heldOut(_ speakers: [String], _ count: Int) throws -> Set<String> {
      let selection = try SpeakerSelection(of: speakers, holdingOut: count)
      return Set(speakers.indices.filter { selection.labels[$0] == nil }.map { speakers[$0] })
    }
    let ten = try heldOut(speakers, 10), twenty = try heldOut(speakers, 20)
    #expect(ten.count == 10 && twenty.count == 20 && ten.isSubset(of: twenty))
    var random = SeededGenerator(seed: 5)
    #expect(try heldOut(speakers.shuffled(using: &random), 10) == ten)
    // Not the first names, nor the last.
    #expect(ten.contains { $0 < "id10050" } && ten.contains { $0 >= "id10050" })
  }

  @Test("somebody has to be left") func nobody() throws {
    #expect(throws: Failure.self) { try SpeakerSelection(of: speakers, holdingOut: 100) }
    #expect(try SpeakerSelection(of: speakers, holdingOut: 99).names.count == 1)
  }

  @Test("a split of some has them in the order of the whole") func split() {
    let whole = TrainValidSplit(count: 200, seed: 87), some = whole.filter { !$0.isMultiple(of: 3) }
    #expect(some.training == whole.training.filter { !$0.isMultiple(of: 3) })
    #expect(some.validation == whole.validation.filter { !$0.isMultiple(of: 3) })
  }
}
