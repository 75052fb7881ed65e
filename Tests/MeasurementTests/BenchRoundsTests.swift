import Testing
import Measurement
import Training

@Suite struct BenchRoundsTests {
  func rounds(_ values: Double...) -> Rounds {
    var rounds = Rounds()
    for value in values { rounds.add(value) }
    return rounds
  }

  @Test("the median does not mind an outlier") func median() {
    #expect(rounds(3).median == 3)
    #expect(rounds(5, 1, 1_000, 4, 3).median == 4)
    #expect(rounds(4, 1, 2, 100).median == 3)
  }

  @Test("the spread is from the lowest to the highest") func spread() {
    #expect(rounds(5, 1, 1_000, 4, 3).spread == 1...1_000)
    #expect(rounds(2).spread == 2...2)
  }
}
