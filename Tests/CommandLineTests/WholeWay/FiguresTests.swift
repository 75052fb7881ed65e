import Foundation
import TensorFiles
import Testing

/// Commands that print a figure and need no run.
@Suite("Baseline and plan") struct FiguresTests {
  @Test("the baseline is the same for every form of the data and number of ranks") func baseline() throws {
    let forms = try WholeWay.forms
    let result = try WholeWay.json(WholeWay.output(["baseline", "--data", forms[0], "--json"]))
    let accuracy = try #require(result["accuracy"]?.double)
    #expect(result["utterances"]?.int == 5)
    // Better than guessing one of four speakers.
    #expect(accuracy > 0.25 && accuracy <= 1)
    #expect((accuracy * 5).rounded() == accuracy * 5)
    for ranks in [nil, 2, 3] as [Int?] {
      for form in forms {
        let json = try WholeWay.output(["baseline", "--data", form, "--json"], ranks: ranks)
        #expect(try WholeWay.json(json) == result, "\(ranks ?? 0) ranks, \(form)")
        let text = try WholeWay.output(["baseline", "--data", form], ranks: ranks)
        let expected =
          String(format: "accuracy %.4f", accuracy)
          + " on 5 whole utterances, by the nearest mean spectrum of a speaker"
        #expect(text.split(separator: "\n").last.map(String.init) == expected, "\(text)")
      }
    }
  }

  private static let plan = [
    "plan", "--ranks", "8", "--latency", "5", "--bandwidth", "10", "--speakers", "4", "--seconds", "0.2",
    "--set", "train.segment_length=32",
  ]

  @Test("a plan has sensible figures for every number of ranks", arguments: [nil, 2]) func plan(ranks: Int?)
    throws
  {
    let plan = try WholeWay.json(WholeWay.output(Self.plan + ["--json"], ranks: ranks))
    #expect(plan["latency_us"]?.double == 5)
    #expect(plan["bandwidth_gbit_per_s"]?.double == 10)
    #expect(plan["measured"]?["samples_per_slice"]?.int == 4)
    #expect(plan["measured"]?["seconds_per_slice"]?.double ?? 0 > 0)
    let rows = try #require(plan["rows"]?.array)
    #expect(rows.compactMap { $0["ranks"]?.int } == [1, 2, 4, 8])
    #expect(rows.allSatisfy { $0["shards"]?.int == 8 && $0["batch_size"]?.int == 32 })
    func figures(_ key: String) -> [Double] { rows.map { $0[key]?.double ?? .nan } }
    for key in [
      "seconds_step", "seconds_compute", "steps_per_s", "samples_per_s", "efficiency",
      "memory_bytes_per_rank",
    ] { #expect(figures(key).allSatisfy { $0 > 0 && $0.isFinite }, "\(key): \(figures(key))") }
    // One rank sends nothing and waits for nobody; all others do both.
    for key in ["sent_bytes_per_rank", "seconds_bytes"] {
      let figures = figures(key)
      #expect(figures[0] == 0 && figures[1...].allSatisfy { $0 > 0 && $0.isFinite }, "\(key): \(figures)")
    }
    #expect(figures("efficiency")[0] == 1)
    #expect(zip(figures("seconds_step"), figures("seconds_compute")).allSatisfy { $0 >= $1 })
    // Half the slices each, half the work.
    #expect(zip(figures("seconds_compute"), figures("seconds_compute").dropFirst()).allSatisfy { $0 > $1 })
    for (step, samples) in zip(figures("seconds_step"), figures("samples_per_s")) {
      #expect(abs(samples * step - 32) < 1e-6)
    }
    let last = try #require(plan["last_ranks_that_pay"]?.int)
    #expect([1, 2, 4, 8].contains(last))
  }

  @Test("a plan for a person has a row for every number of ranks") func planTable() throws {
    let text = try WholeWay.output(Self.plan)
    let rows = text.split(separator: "\n").compactMap { $0.wholeMatch(of: #/ +(\d+) +32 [ \d.%]+/#)?.1 }
    #expect(rows.compactMap { Int($0) } == [1, 2, 4, 8], "\(text)")
  }
}
