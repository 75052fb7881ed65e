/// One utterance as the corpus's index lists it.
public struct Utterance: Sendable, Equatable {
  /// `feature_path`: the file of its features, relative to the homework's directory.
  public let path: String
  /// `mel_len`: its frames, at least 1, of 10 ms each.
  public let frames: Int
  /// The speaker's number, an index into `Corpus.speakers`; -1 for a test utterance.
  public let label: Int

  /// The label of utterances whose speaker is not told.
  public static let unlabelled = -1

  /// An utterance as listed.
  public init(path: String, frames: Int, label: Int) {
    self.path = path
    self.frames = frames
    self.label = label
  }
}
