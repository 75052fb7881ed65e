import Diagnostics
import TensorCore

/// The recordings of one kind in a packed corpus, to be laid under speech.
///
/// The kinds are the corpus's speakers, as a folder of MUSAN makes them: `music`, `speech` (of which babble is made),
/// and all the others, which are noise. A corpus without such speakers is noise throughout.
public struct NoiseRecordings: Sendable {
  /// What a recording is of.
  public enum Kind: String, Sendable {
    case noise, music, speech
  }

  private let corpus: Corpus
  /// Indices into `corpus.utterances`, in their order.
  public let utterances: [Int]

  /// The recordings of a kind.
  ///
  /// - Parameter key: of the configuration, for messages.
  /// - Throws: bad data when there is none.
  public init(_ kind: Kind, of corpus: Corpus, key: String) throws {
    let own = Set([Kind.music, .speech].map(\.rawValue))
    let isMeant = corpus.speakers.map { kind == .noise ? !own.contains($0) : $0 == kind.rawValue }
    var utterances = corpus.utterances.indices.filter { isMeant[corpus.utterances[$0].label] }
    let isUnsorted = own.isDisjoint(with: corpus.speakers)
    if utterances.isEmpty, isUnsorted { utterances = Array(corpus.utterances.indices) }
    guard !utterances.isEmpty else {
      throw Failure(
        .badData,
        "\(key): \(corpus.directory) has no recordings of \(kind.rawValue): its speakers are"
          + " \(listed(corpus.speakers.prefix(5).map(\.quoted), "and")); expected MUSAN's music, noise and speech"
      )
    }
    self.corpus = corpus
    self.utterances = utterances
  }

  /// Verifies the recordings, so that they can be read.
  public func prepare(threads: Int, progress: (_ done: Int, _ total: Int) -> Void) throws {
    try corpus.prepare(utterances, threads: threads, progress: progress)
  }

  /// Copies as many frames as `piece` has, from a place that `start` chooses; a shorter recording is repeated.
  ///
  /// - Parameter start: given how many places there are, one of them.
  /// - Throws: what `Corpus.copyFrames` throws.
  func copy(_ recording: Int, from start: (Int) -> Int, into piece: Matrix) throws {
    let utterance = utterances[recording]
    let frames = corpus.utterances[utterance].frames
    if frames > piece.rows {
      return try corpus.copyFrames(
        of: utterance, from: start(frames - piece.rows + 1), count: piece.rows, into: piece.base)
    }
    var done = 0
    while done < piece.rows {
      let count = min(frames, piece.rows - done)
      try corpus.copyFrames(of: utterance, from: 0, count: count, into: piece.rows(done..<done + count).base)
      done += count
    }
  }
}
