import Collectives
import Diagnostics
import TensorFiles

extension BenchJob {
  /// Measures, on all ranks together; rank 0 prints.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    try group.agreeing { try check(isWriter: group.rank == 0) }
    let setup = try BenchSetup(self, group, console: console)
    let seconds = seconds ?? 10
    switch subject {
    case .step:
      try setup.prepareData()
      let bench = StepBench(setup: setup, seconds: seconds)
      let figures = try bench.measure()
      try write(try trace == nil ? nil : bench.trace(), group)
      try show(figures.json, figures.text, console)
    case .validate:
      let figures = try EvaluationBench(setup: setup, seconds: seconds).validate()
      try show(
        figures.json,
        figures.text("validated, segments of \(setup.configuration.train.segmentLength) frames"), console)
    case .infer:
      let figures = try EvaluationBench(setup: setup, seconds: seconds).infer()
      try show(figures.json, figures.text("predicted whole, one at a time"), console)
    case .data:
      try setup.prepareData()
      let figures = try DataBench(setup: setup, seconds: seconds).measure()
      try show(figures.json, figures.text("read from \(setup.data.corpus.directory)"), console)
    case .allreduce:
      let bench = ReductionBench(
        group: group, shards: setup.configuration.train.shards, parameters: setup.model.layout.trainedCount,
        recipe: setup.recipe, seconds: seconds)
      let rows = try bench.measure()
      try show(bench.json(rows), bench.text(rows), console)
    }
  }

  /// What is wrong with the options, before the work.
  private func check(isWriter: Bool) throws {
    if let seconds, !(seconds > 0 && seconds <= 86_400) {
      throw Failure(.usage, "--seconds: expected a number above 0 and at most 86400, found \(seconds)")
    }
    guard let trace else { return }
    guard subject == .step else {
      throw Failure(.usage, "--trace: only 'bench step' has a timeline, not 'bench \(subject.rawValue)'")
    }
    if isWriter { try FileSystem.checkWritable(trace) }
  }

  private func write<C: Communicator>(_ timeline: ChromeTrace?, _ group: C) throws {
    try group.agreeing {
      guard let trace, let timeline else { return }
      try FileWriting.writeAtomically(Array(timeline.text.utf8), to: trace)
    }
  }

  private func show(_ json: JSON, _ text: String, _ console: Console) throws {
    try console.result(self.json ? json.serialized() : text)
  }
}
