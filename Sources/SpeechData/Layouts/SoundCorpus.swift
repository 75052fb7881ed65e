import Diagnostics
import TensorFiles

/// The recordings that a folder or a list holds, and whose they are. Which of them can be decoded is not known yet.
public struct SoundCorpus: Sendable {
  /// The folder or the list that it was opened from.
  public let directory: String
  /// What it was read as.
  public let layout: Layout
  /// In the order of the bytes of their keys.
  public let recordings: [Recording]
  /// In the order of their bytes: those of the recordings that are not of the part `test`, or of all if there are no
  /// others. A recording's label is its speaker's position here.
  public let speakers: [String]
  /// What was left out, in the order of the bytes of its names, lists by their lines.
  public let refused: [Refusal]

  private let labels: [String: Int]

  /// Opens a folder or a list.
  ///
  /// - Parameters:
  ///   - layout: what it holds; nil to recognise it.
  ///   - speakerFrom: a regular expression whose first group is the speaker in the name of a file, which makes the
  ///     layout `fileNames`.
  /// - Throws: `.usage` where two layouts fit, or flags contradict; `.missingInput` where there is none, saying what
  ///   was looked for; `.badData`, with file and line, for a list that cannot be believed, and where all is left out.
  public static func open(
    _ path: String, layout: Layout? = nil, speakerFrom: String? = nil
  ) throws(Failure) -> SoundCorpus {
    if let speakerFrom {
      guard layout == nil || layout == .fileNames else {
        throw Failure(
          .usage,
          "--speaker-from tells speakers from the names of files, but --layout \(layout!.rawValue) says whose they are"
        )
      }
      var gathering = try FolderLayouts.fileNames(path, speakerFrom)
      return try gathering.corpus(path, .fileNames)
    }
    let layout = if let layout { layout } else { try Layout.recognised(at: path) }
    var gathering: Gathering
    switch layout {
    case .homework, .packed:
      throw Failure(
        .usage, "\(path): the layout \(layout.rawValue) is one of features, and sound is expected")
    case .fileNames:
      throw Failure(.usage, "--layout file-names needs --speaker-from, as in --speaker-from '_([a-z]+)_'")
    case .speakerFolders: gathering = try FolderLayouts.speakerFolders(path)
    case .voxCeleb: gathering = try FolderLayouts.voxCeleb(path)
    case .libriSpeech: gathering = try FolderLayouts.libriSpeech(path)
    case .kaldi: gathering = try KaldiDirectory.read(FileWriting.isFolder(path) ? path : folder(of: path))
    case .trainList: gathering = try PathLists.trainList(layout.list(path))
    case .idenSplit: gathering = try PathLists.idenSplit(layout.list(path))
    case .rawList: gathering = try RawList.read(layout.list(path))
    case .shardList: gathering = try ShardList.read(layout.list(path))
    case .speechBrain: gathering = try SpeechBrainTable.read(path)
    }
    return try gathering.corpus(path, layout)
  }

  init(_ directory: String, _ layout: Layout, _ recordings: [Recording], _ refused: [Refusal]) {
    self.directory = directory
    self.layout = layout
    self.recordings = recordings
    self.refused = refused
    var names = Set(recordings.lazy.filter { $0.part != .test }.map(\.speaker))
    if names.isEmpty { names = Set(recordings.lazy.map(\.speaker)) }
    speakers = names.sorted(by: bytesPrecede)
    labels = Dictionary(uniqueKeysWithValues: zip(speakers, speakers.indices))
  }

  /// The position of a recording's speaker in `speakers`; -1 for one who is in the part `test` alone.
  public func label(of recording: Recording) -> Int { labels[recording.speaker] ?? Utterance.unlabelled }

  /// 64 bits by which the corpus is known again: the recordings' keys, speakers, segments, channels and parts, in
  /// order. Not what is in the files, and not where the folder lies.
  public var fingerprint: UInt64 {
    var fingerprint = Fingerprint()
    for recording in recordings {
      fingerprint.combine(recording.key)
      fingerprint.combine(recording.speaker)
      for segment in recording.segments {
        fingerprint.combine(Int(bitPattern: UInt(segment.start.bitPattern)))
        fingerprint.combine(Int(bitPattern: UInt(segment.end.bitPattern)))
      }
      fingerprint.combine(recording.channel ?? -1)
      fingerprint.combine(recording.part?.rawValue ?? "")
    }
    return fingerprint.value
  }
}
