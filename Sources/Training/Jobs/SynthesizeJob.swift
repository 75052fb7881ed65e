import Collectives
import Diagnostics
import SpeechData

/// The options of `synthesize`, and the work: the built-in corpus in the homework's layout.
public struct SynthesizeJob: Job {
  /// Where the corpus goes.
  public var output: String
  /// The number of speakers.
  public var speakers = 60
  /// The number of labelled utterances in all.
  public var utterances = 2_400
  /// What all randomness hangs on.
  public var seed: UInt64 = 87
  /// Threads of each process; `nil` for its share of the machine's cores.
  public var threads: Int?

  /// Writes the corpus to `output`.
  public init(output: String) { self.output = output }

  /// Synthesizes.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    throw Failure(.internalError, "synthesize is not part of this build")
  }
}
