import Testing
import Measurement
import Training

@Suite struct BenchRoundsTests {
  func rounds(_ values: Double...) -> Rounds {
    var rounds = Rounds()
    for value in values { rounds.add(value) }
    return rounds
  }

  @Test func theMedianDoesNotMindAnOutlier() {
    #expect(rounds(3).median == 3)
    #expect(rounds(5, 1, 1_000, 4, 3).median == 4)
    #expect(rounds(4, 1, 2, 100).median == 3)
  }

  @Test func theSpreadIsFromTheLowestToTheHighest() {
    #expect(rounds(5, 1, 1_000, 4, 3).spread == 1...1_000)
    #expect(rounds(2).spread == 2...2)
  }
}
