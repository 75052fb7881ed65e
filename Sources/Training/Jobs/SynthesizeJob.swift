import Collectives
import Diagnostics
import SpeechData

/// The options of `synthesize`, and the work: the built-in corpus in the homework's layout, or as sound in VoxCeleb's.
public struct SynthesizeJob: Job {
  /// How long utterances are.
  public enum Lengths: String, CaseIterable, Sendable {
    /// 1.5 to 5 s.
    case short
    /// As long as the homework's: 0.9 to 72 s, 5.4 s in the median.
    case homework

    var distribution: LengthDistribution {
      switch self {
      case .short: .short
      case .homework: .homework
      }
    }
  }

  /// Where the corpus goes.
  public var output: String
  /// The number of speakers.
  public var speakers = BuiltInCorpus.speakers
  /// The number of labelled utterances in all.
  public var utterances = BuiltInCorpus.utterances
  /// The number of test utterances; `nil` for a sixth of ``utterances``.
  public var testUtterances: Int?
  /// How long the utterances are.
  public var lengths = Lengths.short
  /// Whether it is written as sound, with noise and rooms beside it.
  public var wav = false
  /// What all randomness hangs on.
  public var seed = BuiltInCorpus.seed
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Writes the corpus to `output`.
  public init(output: String) { self.output = output }

  /// Synthesizes; each rank renders its own run of the utterances. A corpus that is there already is kept.
  public func run<C: Communicator>(_ communicator: C, console: Console) throws {
    let threads = try ThreadCount.resolve(threads, communicator)
    let synthesizer = try communicator.agreeing {
      try CorpusSynthesizer(
        speakers: speakers, utterances: utterances, testUtterances: testUtterances, seed: seed,
        lengths: lengths.distribution, form: wav ? .sound : .features)
    }
    let lock = try communicator.onRankZero {
      try synthesizer.prepare(output) {
        console.info("Another process is writing a corpus to \(output): waiting for it")
      }
    }.flatMap { $0 }
    defer { lock?.release() }
    guard try communicator.allGather(lock == nil ? 0 : 1)[0] == 1 else {
      console.info("The corpus in \(output) is there already.")
      return
    }
    let count = synthesizer.files.count
    let mine =
      count * communicator.rank / communicator.size..<count * (communicator.rank + 1) / communicator.size
    try communicator.agreeing {
      try synthesizer.write(mine, to: output, threads: threads, console: console)
    }
    _ = try communicator.onRankZero { try synthesizer.finish(output) }
    console.info(
      "Wrote \(synthesizer.trainingUtterances) utterances of \(speakers) speakers "
        + "and \(synthesizer.testUtterances) test utterances to \(output)"
        + (wav ? ", with musan and RIRS_NOISES beside them." : "."))
  }
}
