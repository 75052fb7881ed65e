import Testing
import Training

/// What tqdm 4.70.1 prints, by `tqdm.format_meter(done, total, elapsed, ncols=0, prefix=label, unit=" " + unit,
/// rate=rate, postfix=…)` with the postfix of `set_postfix(**values)`.
@Suite struct ProgressLineTests {
  struct Case: Sendable {
    let done: Int, total: Int, elapsed: Double, label: String, unit: String, rate: Double?
    let values: [String: ProgressValue]
    let text: String

    init(
      _ done: Int, _ total: Int, _ elapsed: Double, _ label: String, _ unit: String, _ rate: Double?,
      _ values: [String: ProgressValue], _ text: String
    ) {
      self.done = done
      self.total = total
      self.elapsed = elapsed
      self.label = label
      self.unit = unit
      self.rate = rate
      self.values = values
      self.text = text
    }
  }

  static let cases = [
    Case(
      2000, 2000, 45.87, "Train", "step", nil,
      ["accuracy": .fixed(0.56, digits: 2), "loss": .fixed(2.07, digits: 2), "step": .count(52000)],
      "Train: 100% 2000/2000 [00:45<00:00, 43.60 step/s, accuracy=0.56, loss=2.07, step=52000]"
    ),
    Case(
      13, 2000, 0.2414, "Train", "step", 53.86,
      ["accuracy": .fixed(0.78, digits: 2), "loss": .fixed(1.20, digits: 2), "step": .count(50013)],
      "Train:   1% 13/2000 [00:00<00:36, 53.86 step/s, accuracy=0.78, loss=1.20, step=5e+4]"
    ),
    Case(
      13, 2000, 0.2414, "Train", "step", 53.86,
      ["accuracy": .fixed(0.78, digits: 2), "loss": .fixed(1.20, digits: 2), "step": .count(50000)],
      "Train:   1% 13/2000 [00:00<00:36, 53.86 step/s, accuracy=0.78, loss=1.20, step=5e+4]"
    ),
    Case(
      5664, 5667, 2.96, "Valid", "uttr", nil,
      ["accuracy": .fixed(0.53, digits: 2), "loss": .fixed(2.17, digits: 2)],
      "Valid: 100% 5664/5667 [00:02<00:00, 1913.51 uttr/s, accuracy=0.53, loss=2.17]"
    ),
    Case(
      0, 2000, 0, "Train", "step", nil, [:],
      "Train:   0% 0/2000 [00:00<?, ? step/s]"
    ),
    Case(
      0, 2000, 1.5, "Train", "step", nil, [:],
      "Train:   0% 0/2000 [00:01<?, ? step/s]"
    ),
    Case(
      1, 2000, 3.0, "Train", "step", nil,
      ["accuracy": .fixed(0.00, digits: 2), "loss": .fixed(6.42, digits: 2), "step": .count(1)],
      "Train:   0% 1/2000 [00:03<1:39:57,  3.00s/ step, accuracy=0.00, loss=6.42, step=1]"
    ),
    Case(
      1, 2000, 1.0, "Train", "step", nil, [:],
      "Train:   0% 1/2000 [00:01<33:19,  1.00 step/s]"
    ),
    Case(
      1, 2000, 0.999, "Train", "step", nil, [:],
      "Train:   0% 1/2000 [00:00<33:17,  1.00 step/s]"
    ),
    Case(
      999, 1000, 3599.99, "Train", "step", nil, ["step": .count(999)],
      "Train: 100% 999/1000 [59:59<00:03,  3.60s/ step, step=999]"
    ),
    Case(
      1000, 1000, 3600, "Train", "step", nil, ["step": .count(1000)],
      "Train: 100% 1000/1000 [1:00:00<00:00,  3.60s/ step, step=1000]"
    ),
    Case(
      5, 2000, 40000, "Train", "step", nil, ["step": .count(5)],
      "Train:   0% 5/2000 [11:06:40<4433:20:00, 8000.00s/ step, step=5]"
    ),
    Case(
      1, 70000, 100, "Train", "step", nil, [:],
      "Train:   0% 1/70000 [01:40<1944:25:00, 100.00s/ step]"
    ),
    Case(
      50, 200, 0.001, "Valid", "uttr", nil, [:],
      "Valid:  25% 50/200 [00:00<00:00, 50000.00 uttr/s]"
    ),
    Case(
      1, 8, 0.25, "Valid", "uttr", nil, [:],
      "Valid:  12% 1/8 [00:00<00:01,  4.00 uttr/s]"
    ),
    Case(
      3, 8, 0.25, "Valid", "uttr", nil, [:],
      "Valid:  38% 3/8 [00:00<00:00, 12.00 uttr/s]"
    ),
    Case(
      199, 200, 10.0, "Valid", "uttr", nil, [:],
      "Valid: 100% 199/200 [00:10<00:00, 19.90 uttr/s]"
    ),
    Case(
      12, 5667, 123.456, "Pack", "uttr", nil, [:],
      "Pack:   0% 12/5667 [02:03<16:09:38, 10.29s/ uttr]"
    ),
  ]

  @Test("a line is what tqdm says, to the character", arguments: cases) func tqdm(example: Case) {
    let line = ProgressLine(example.label, unit: example.unit, total: example.total)
    let text = line.text(
      done: example.done, elapsed: example.elapsed, rate: example.rate, values: example.values)
    #expect(text == example.text)
  }

  @Test("a narrow window gets what counts most", arguments: 1...200) func narrow(columns: Int) {
    let line = ProgressLine("Train", unit: "step", total: 2_000)
    let values: [String: ProgressValue] = [
      "accuracy": .fixed(0.56, digits: 2), "loss": .fixed(2.07, digits: 2), "step": .count(52_000),
    ]
    let whole = line.text(done: 1_000, elapsed: 25, values: values)
    let text = line.text(done: 1_000, elapsed: 25, values: values, columns: columns)
    #expect(text.count <= columns)
    switch columns {
    case 87...: #expect(text == whole)
    case 75...: #expect(text == "Train:  50% 1000/2000 [00:25<00:25, 40.00 step/s, accuracy=0.56, loss=2.07]")
    case 61...: #expect(text == "Train:  50% 1000/2000 [00:25<00:25, accuracy=0.56, loss=2.07]")
    case 50...: #expect(text == "Train:  50% 1000/2000 [00:25<00:25, accuracy=0.56]")
    case 35...: #expect(text == "Train:  50% 1000/2000 [00:25<00:25]")
    case 25...: #expect(text == "Train:  50% [00:25<00:25]")
    case 11...: #expect(text == "Train:  50%")
    default: #expect("Train:  50%".hasPrefix(text))
    }
  }

  @Test("the whole run's line fits every window, its bar too", arguments: 1...200) func run(columns: Int) {
    var line = RunLine(total: 70_000, first: 400)
    for best in [nil, BestResult(accuracy: 0.45234, loss: 1, step: 8_000)] {
      line.best = best
      for step in [400, 401, 8_400, 69_999, 70_000] {
        for blocks in [true, false] {
          let text = line.text(step: step, elapsed: 4_000, columns: columns, blocks: blocks)
          #expect(text.count <= columns)
          #expect(columns < 9 || text.hasPrefix("Run: "))
          #expect(!blocks || !text.contains("#"))
          #expect(columns < 200 || text.contains("|"))
        }
      }
    }
  }

  @Test("the whole run's line tells how far it is, what is left and what was best") func runText() {
    var line = RunLine(total: 2_000, first: 0)
    #expect(line.text(step: 0, elapsed: 0) == "Run:   0% 0/2000 [00:00<?]")
    #expect(line.text(step: 500, elapsed: 60) == "Run:  25% 500/2000 [01:00<03:00]")
    line.best = BestResult(accuracy: 0.5, loss: 1, step: 250)
    #expect(
      line.text(step: 500, elapsed: 60)
        == "Run:  25% 500/2000 [01:00<03:00, best accuracy=0.5000 at step 250]")
    #expect(
      line.text(step: 500, elapsed: 60, columns: 79)
        == "Run:  25% |██▌       | 500/2000 [01:00<03:00, best accuracy=0.5000 at step 250]")
    #expect(
      line.text(step: 500, elapsed: 60, columns: 60, blocks: false)
        == "Run:  25% |###         | 500/2000 [01:00<03:00, best=0.5000]")
    #expect(
      line.text(step: 500, elapsed: 60, columns: 45) == "Run:  25% 500/2000 [01:00<03:00, best=0.5000]")
    #expect(line.text(step: 500, elapsed: 60, columns: 39) == "Run:  25% 500/2000 [01:00<03:00]")
    #expect(line.text(step: 500, elapsed: 60, columns: 25) == "Run:  25% [01:00<03:00]")
    #expect(line.text(step: 500, elapsed: 60, columns: 20) == "Run:  25%")
    // A run that goes on: what is left is estimated by this start alone.
    #expect(
      RunLine(total: 2_000, first: 1_000).text(step: 1_500, elapsed: 60)
        == "Run:  75% 1500/2000 [01:00<01:00]")
    #expect(
      RunLine(total: 2_000, first: 1_000).text(step: 1_000, elapsed: 60) == "Run:  50% 1000/2000 [01:00<?]")
  }

  static let counts: [(Int, String)] = [
    (1, "1"), (9, "9"), (10, "10"), (99, "99"), (100, "100"), (200, "200"), (400, "400"), (999, "999"),
    (1000, "1000"), (1001, "1001"), (2000, "2000"), (10000, "1e+4"), (11000, "11000"), (52000, "52000"),
    (60000, "6e+4"), (70000, "7e+4"), (100000, "1e+5"), (120000, "120000"), (123456, "123456"),
    (1000000, "1e+6"), (1234567, "1234567"), (12345678, "1.23e+7"), (100000000, "1e+8"),
  ]

  @Test("large counts are shortened as tqdm does", arguments: counts) func shortCounts(
    count: Int, text: String
  ) {
    let line = ProgressLine("S", unit: "step", total: 2).text(
      done: 1, elapsed: 1, values: ["step": .count(count)])
    #expect(line == "S:  50% 1/2 [00:01<00:01,  1.00 step/s, step=\(text)]")
  }

  @Test("a loss that is not a number is said") func notANumber() {
    let line = ProgressLine("Train", unit: "step", total: 10).text(
      done: 10, elapsed: 1, values: ["loss": .fixed(.nan, digits: 2)])
    #expect(line == "Train: 100% 10/10 [00:01<00:00, 10.00 step/s, loss=nan]")
  }
}
