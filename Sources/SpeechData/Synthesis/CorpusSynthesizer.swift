import Foundation

/// The built-in corpus: source-filter speech of invented speakers, in the homework's layout.
///
/// An utterance is a pure function of the parameters and its number: it can be made alone, in any order, on
/// any thread or rank, with the same bits on one kind of machine.
public struct CorpusSynthesizer: Sendable {
  /// The number of speakers; they are called id00001, id00002, …
  public let speakers: Int
  /// The number of labelled utterances in all, dealt out to the speakers in turn.
  public let trainingUtterances: Int
  /// The number of utterances of `testdata.json`, on top, by speakers drawn at random.
  public let testUtterances: Int
  /// What all randomness hangs on.
  public let seed: UInt64
  /// How long the utterances are.
  public let lengths: LengthDistribution

  /// All utterances: the labelled ones first, then the test ones.
  public var utterances: Int { trainingUtterances + testUtterances }

  private let logMel = LogMel()

  /// - Parameters:
  ///   - speakers: at least 2.
  ///   - utterances: labelled utterances in all, at least one a speaker.
  ///   - testUtterances: a sixth of `utterances` if not given.
  /// - Throws: `Failure(.usage)` for numbers that make no corpus.
  public init(
    speakers: Int, utterances: Int, testUtterances: Int? = nil, seed: UInt64,
    lengths: LengthDistribution = .short
  ) throws {
    self.speakers = speakers
    trainingUtterances = utterances
    self.testUtterances = testUtterances ?? utterances / 6
    self.seed = seed
    self.lengths = lengths
  }
}
