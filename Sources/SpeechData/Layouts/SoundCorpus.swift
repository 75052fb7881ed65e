import Diagnostics

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
  /// - Throws: `.usage` where two layouts fit, or flags contradict; `.missingInput` where there is none, saying what was
  ///   looked for; `.badData`, with file and line, for a list that cannot be believed.
  public static func open(
    _ path: String, layout: Layout? = nil, speakerFrom: String? = nil
  ) throws(Failure) -> SoundCorpus {
    let tree = try SoundTree(path)
    var gathering = Gathering(refused: tree.refused)
    for file in tree.files {
      guard let slash = file.utf8.firstIndex(of: UInt8(ascii: "/")) else {
        gathering.refuse(file, "lies in no speaker's folder")
        continue
      }
      gathering.add(Recording(key: file, speaker: String(file[..<slash]), location: .file("\(path)/\(file)")))
    }
    return try gathering.corpus(path, .speakerFolders)
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

  /// 64 bits by which the corpus is known again: the recordings' keys, speakers, segments, channels and parts, in order.
  /// Not what is in the files, and not where the folder lies.
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

/// Recordings on their way into a corpus.
struct Gathering {
  private var recordings: [Recording] = []
  private(set) var refused: [Refusal] = []

  init(refused: [Refusal] = []) { self.refused = refused }

  mutating func add(_ recording: Recording) { recordings.append(recording) }

  mutating func refuse(_ what: String, _ reason: String) { refused.append(Refusal(what, reason)) }

  /// The corpus of what came, each key once: the first that came stays.
  ///
  /// - Throws: `.badData` if nothing did, with the first reasons.
  consuming func corpus(_ path: String, _ layout: Layout) throws(Failure) -> SoundCorpus {
    // Stable: of two with the same key the first comes first.
    let order = recordings.indices.sorted { left, right in
      let (leftKey, rightKey) = (recordings[left].key, recordings[right].key)
      return bytesPrecede(leftKey, rightKey) || !bytesPrecede(rightKey, leftKey) && left < right
    }
    var unique: [Recording] = []
    unique.reserveCapacity(order.count)
    for index in order {
      let recording = recordings[index]
      if recording.key == unique.last?.key {
        refused.append(Refusal(recording.key, "is there a second time (\(recording.location.path))"))
      } else {
        unique.append(recording)
      }
    }
    guard !unique.isEmpty else {
      throw Failure(.missingInput, "\(path): no sound files" + Self.reasons(refused))
    }
    return SoundCorpus(path, layout, unique, refused)
  }

  private static func reasons(_ refused: [Refusal]) -> String {
    guard !refused.isEmpty else { return "" }
    let shown = refused.prefix(3).map { "\($0.what.quoted) \($0.reason)" }.joined(separator: "; ")
    return " that can be read: " + shown + (refused.count > 3 ? "; and \(refused.count - 3) more" : "")
  }
}
