import Audio
import Diagnostics
import TensorCore

/// The built-in corpus: source-filter speech of invented speakers.
///
/// An utterance is a pure function of the parameters and its number: it can be made alone, in any order, on
/// any thread or rank, with the same bits (on processors of one kind: the C library's exp and cos may
/// differ in the last bit between others).
public struct CorpusSynthesizer: Sendable {
  /// One utterance, as far as it is known without rendering it.
  public struct Utterance: Sendable {
    /// `uttr-` and 32 hexadecimal digits, `.pt`.
    public let fileName: String
    /// The position of the speaker, `0 ..< speakers`.
    public let speaker: Int
    /// The number of frames of 10 ms.
    public let frames: Int
    /// The number of samples at 16 kHz.
    public let samples: Int
  }

  /// What a corpus is written as.
  public enum Form: Sendable {
    /// Log-mel features in the homework's layout.
    case features
    /// WAV files in VoxCeleb's layout, with noise and rooms beside them.
    case sound
  }

  /// The number of speakers.
  public let speakers: Int
  /// The number of labelled utterances in all, dealt out to the speakers in turn.
  public let trainingUtterances: Int
  /// The number of utterances of `testdata.json`, on top of the others, by speakers drawn at random.
  public let testUtterances: Int
  /// What all randomness hangs on.
  public let seed: UInt64
  /// How long the utterances are.
  public let lengths: LengthDistribution
  /// What it is written as. The utterances are the same.
  public let form: Form

  /// What a list of utterances in one JSON file is good for.
  private static let mostUtterances = 10_000_000

  private let voices: [SpeakerVoice]
  private let logMel = LogMel()

  /// - Parameters:
  ///   - speakers: at least 2.
  ///   - utterances: labelled utterances in all, at least one a speaker.
  ///   - testUtterances: a sixth of `utterances` unless given.
  ///   - seed: another seed gives other speakers.
  ///   - lengths: how long the utterances are.
  ///   - form: what they are written as.
  /// - Throws: `.usage` for numbers that make no corpus.
  public init(
    speakers: Int, utterances: Int, testUtterances: Int? = nil, seed: UInt64,
    lengths: LengthDistribution = .short, form: Form = .features
  ) throws(Failure) {
    guard (2...99_999).contains(speakers) else {
      throw Failure(.usage, "a corpus of \(speakers) speakers cannot be made; 2 to 99999 can")
    }
    guard form == .features || speakers <= Self.mostVoxCelebSpeakers else {
      throw Failure(
        .usage,
        "VoxCeleb's names, id and five digits from id10001 on, are enough for \(Self.mostVoxCelebSpeakers) speakers, and"
          + " not for \(speakers)")
    }
    guard utterances >= speakers else {
      throw Failure(
        .usage, "\(utterances) utterances are too few for \(speakers) speakers; at least one each is needed")
    }
    guard utterances <= Self.mostUtterances, testUtterances ?? 0 <= Self.mostUtterances else {
      throw Failure(
        .usage,
        "a corpus of \(max(utterances, testUtterances ?? 0)) utterances cannot be made; up to \(Self.mostUtterances)"
          + " can, and VoxCeleb2 has 1.1 million")
    }
    if let testUtterances, testUtterances < 0 {
      throw Failure(.usage, "a corpus with \(testUtterances) test utterances cannot be made; 0 or more can")
    }
    self.speakers = speakers
    trainingUtterances = utterances
    self.testUtterances = testUtterances ?? utterances / 6
    self.seed = seed
    self.lengths = lengths
    self.form = form
    voices = (0..<speakers).map { SpeakerVoice(seed: seed, speaker: $0) }
  }

  /// All utterances: the labelled ones first, then the test ones.
  public var utterances: Range<Int> { 0..<trainingUtterances + testUtterances }

  /// The name of a speaker: id00001, id00002, ….
  public func speakerName(_ speaker: Int) -> String {
    let digits = String(speaker + 1)
    return "id" + String(repeating: "0", count: 5 - digits.count) + digits
  }

  /// What an utterance is called, who speaks it, how long it is.
  public func utterance(_ number: Int) -> Utterance {
    let key = key(number)
    let words = key.stream(.name).block(0)
    let digits = (0..<4).map { word in
      let hexadecimal = String(words[word], radix: 16)
      return String(repeating: "0", count: 8 - hexadecimal.count) + hexadecimal
    }
    var draws = key.draws(.length)
    let frames = lengths.frames(at: draws.uniform(0...1))
    let samples = LogMel.hop * (frames - 1) + draws.integer(below: LogMel.hop)
    return Utterance(
      fileName: "uttr-\(digits.joined()).pt", speaker: key.speaker, frames: frames, samples: samples)
  }

  /// The audio of an utterance at 16 kHz, full scale ±1.
  public func audio(_ number: Int) -> [Float] {
    let key = key(number)
    return UtteranceRenderer(voice: voices[key.speaker], key: key).audio(samples: utterance(number).samples)
  }

  /// The log-mel spectrogram of an utterance: [frames, 40] row-major.
  public func features(_ number: Int) -> [Float] { logMel(audio(number)) }

  /// What the randomness of an utterance hangs on.
  package func key(_ number: Int) -> SynthesisKey {
    precondition(utterances.contains(number), "utterance \(number) of \(utterances.count)")
    var owner = number % speakers
    if number >= trainingUtterances {
      owner = SynthesisKey(seed: seed, speaker: 0, utterance: number).stream(.owner)
        .integer(below: speakers, at: 0)
    }
    return SynthesisKey(seed: seed, speaker: owner, utterance: number)
  }
}
