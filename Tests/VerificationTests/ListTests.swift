import Diagnostics
import Foundation
import TestSupport
import Testing

import Verification

@Suite("Lists of trials and scores") struct ListTests {
  private let folder = TemporaryFolder()

  private func trials(_ text: String) throws -> TrialList {
    try TrialList(reading: folder.write(text, to: "trials.txt"))
  }

  @Test("the three forms of a trial list say the same") func forms() throws {
    let lists = [
      "1 a/1.wav b/2.wav\n0 a/1.wav c\n", "a/1.wav b/2.wav target\na/1.wav\tc nontarget",
      "\u{FEFF}a/1.wav  b/2.wav 1\r\n\r\n a/1.wav c 0 \r\n",
    ]
    for list in lists {
      let read = try trials(list)
      #expect(read.names == ["a/1.wav", "b/2.wav", "c"])
      #expect(read.enrol == [0, 0] && read.test == [1, 2] && read.isTarget == [true, false])
    }
  }

  @Test("where names are 0 or 1 the other lines tell where the label is") func ambiguous() throws {
    #expect(try trials("1 0 1\n0 1 b\n").isTarget == [true, false])
    #expect(try trials("1 0 1\na 1 0\n").isTarget == [true, false])
    #expect(try trials("1 a 1\n0 1 b\n").names == ["a", "1", "b"])
    expectFailure(saying: "which is the label cannot be told") { try trials("1 0 1\n0 1 1\n") }
  }

  @Test("a line that is no trial is named by file and number") func mistakes() {
    expectFailure(saying: "trials.txt:3: expected '1|0 enrol test'") { try trials("1 a b\n\n2 a b\n") }
    expectFailure(saying: "trials.txt:1: is no trial") { try trials("a b\n") }
    expectFailure(saying: "trials.txt:2: expected 'enrol test target|nontarget'") {
      try trials("a b target\na b 1\n")
    }
    expectFailure(saying: "trials.txt: holds no trials") { try trials("\n \n") }
    expectFailure(saying: "trials.txt:1: is no text") {
      try TrialList(reading: folder.write([0xFF, 10], to: "trials.txt"))
    }
    expectFailure(saying: "longer than") { try trials(String(repeating: "x", count: 1 << 17)) }
    expectFailure(.missingInput, saying: "no such file") { try TrialList(reading: folder("gone")) }
  }

  @Test("a long list keeps each name once, however it is cut into blocks") func many() throws {
    var text: [UInt8] = []
    for index in 0..<100_000 { text += "\(index % 2) id\(index % 997) id\(index % 991)\n".utf8 }
    let read = try TrialList(reading: folder.write(text, to: "many.txt"))
    #expect(read.count == 100_000 && read.names.count == 997)
    #expect(read.isTarget.count { $0 } == 50_000)
  }

  @Test("scores are read as they were written, to nine digits") func scores() throws {
    let list = try trials("1 a b\n0 a c\n1 b c\n")
    let written = ScoreList(list, scores: [0.123456789123, -1e-7, 31.5])
    let path = try folder.write(written.serialized, to: "scores")
    #expect(folder.text("scores") == "a b 0.123456789 target\na c -1e-07 nontarget\nb c 31.5 target\n")
    let read = try ScoreList(reading: path)
    #expect(read.scores == [0.123456789, -1e-7, 31.5] && read.trials.isTarget == list.isTarget)
  }

  @Test("the peers' score files are read: labels before or behind, words or digits, further columns")
  func peers() throws {
    func read(_ text: String) throws -> ScoreList { try ScoreList(reading: folder.write(text, to: "scores")) }
    for text in [
      "a b 0.5 target\na c 1 nontarget\n", "a b target 0.5\na c nontarget 1\n", "a b 1 0.5\na c 0 1\n",
      "a b 0.5 1\na c 1 0\n", "a b 0.50000 target 12.1 13 0.2 0.3\na c 1.00000 nontarget 1 2 3 4\n",
    ] {
      let list = try read(text)
      #expect(list.scores == [0.5, 1] && list.trials.isTarget == [true, false], "\(text)")
    }
    expectFailure(saying: "scores:2: expected") { try read("a b 0.5 target\na b target 0.5\n") }
    expectFailure(saying: "scores:1: expected") { try read("a b nan target\n") }
    expectFailure(saying: "holds no scores") { try read("\n") }
  }

  @Test("a damaged list is read or refused, and never more") func fuzz() throws {
    var random = SeededGenerator(seed: 21)
    let originals = [
      "1 a b\n0 c d\n1 e f\n", "a b target\nc d nontarget\n", "a b 0.25 target\nc d -1e-5 nontarget\n",
    ].map { Array($0.utf8) }
    var refused = 0
    for round in 0..<2_000 {
      let path = try folder.write(originals[round % 3].mutated(using: &random), to: "fuzz")
      for read in [{ _ = try TrialList(reading: path) }, { _ = try ScoreList(reading: path) }] {
        do { try read() } catch let failure as Failure {
          #expect(failure.kind == .badData && failure.message.contains(path))
          refused += 1
        }
      }
    }
    #expect(refused > 2_000)
  }
}
