import Audio

/// One recording as a folder or a list names it: whose it is and where its sound lies. Nothing of it is decoded.
public struct Recording: Sendable, Equatable {
  /// Where sound lies.
  public enum Location: Sendable, Equatable {
    /// A file of its own.
    case file(String)
    /// A whole sound file, `bytes` long from byte `offset` on, inside another one: a tar or an archive of Kaldi's.
    case member(archive: String, offset: Int, bytes: Int)

    /// The file that has to be opened.
    public var path: String {
      switch self {
      case .file(let path), .member(let path, _, _): path
      }
    }
  }

  /// A stretch of a recording.
  public typealias Segment = SoundSource.Stretch

  /// What a layout says that a recording is for.
  public enum Part: String, Sendable {
    case train, validation, test
  }

  /// What lists, trials and embeddings call it; no two of a corpus have the same.
  public let key: String
  /// Whose it is.
  public let speaker: String
  /// Where its sound lies.
  public let location: Location
  /// What of the sound belongs to the recording, one stretch after another; empty for all of it.
  public let segments: [Segment]
  /// The channel that is meant, from 0; nil where the layout does not say.
  public let channel: Int?
  /// nil where the layout knows no parts.
  public let part: Part?

  /// A recording; all of a file unless segments say otherwise.
  public init(
    key: String, speaker: String, location: Location, segments: [Segment] = [], channel: Int? = nil,
    part: Part? = nil
  ) {
    self.key = key
    self.speaker = speaker
    self.location = location
    self.segments = segments
    self.channel = channel
    self.part = part
  }

  /// The same recording for another purpose.
  func inPart(_ part: Part?) -> Recording {
    Recording(
      key: key, speaker: speaker, location: location, segments: segments, channel: channel, part: part)
  }
}

/// Something that a folder or a list holds and that is left out.
public struct Refusal: Sendable, Equatable {
  /// The file, or the list's line: `wav.scp:12`.
  public let what: String
  /// Why, and what would be right.
  public let reason: String

  /// Something left out, and why.
  public init(_ what: String, _ reason: String) {
    self.what = what
    self.reason = reason
  }
}

extension Recording {
  /// Where the decoder finds it.
  public var source: SoundSource {
    switch location {
    case .file(let path): SoundSource(path: path, stretches: segments, channel: channel)
    case .member(let archive, let offset, let bytes):
      SoundSource(path: archive, range: offset..<offset + bytes, stretches: segments, channel: channel)
    }
  }
}
