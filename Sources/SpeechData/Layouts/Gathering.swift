import Diagnostics

/// Recordings on their way into a corpus.
struct Gathering {
  /// Where the layout found a recording: a list's line, or its file.
  private var places: [String] = []
  private(set) var recordings: [Recording] = []
  private(set) var refused: [Refusal] = []

  init(refused: [Refusal] = []) { self.refused = refused }

  /// Takes a recording, unless its key or its speaker is no name.
  ///
  /// - Parameter place: where it is listed; nil for a file that was found itself.
  mutating func add(_ recording: Recording, from place: String? = nil) {
    for (name, what) in [(recording.key, "key"), (recording.speaker, "speaker")] {
      guard !name.isEmpty, name.utf8.count <= Self.longestName,
        !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
      else {
        refuse(
          place ?? recording.location.path,
          "has the \(what) \(name.quoted), where a name of 1 to \(Self.longestName) bytes without control characters is"
            + " expected")
        return
      }
    }
    recordings.append(recording)
    places.append(place ?? recording.key)
  }

  /// Takes what a line of a list became.
  mutating func add(_ recording: Result<Recording, Objection>, from place: String) {
    switch recording {
    case .success(let recording): add(recording, from: place)
    case .failure(let objection): refuse(place, objection.reason)
    }
  }

  private static let longestName = 4096

  mutating func refuse(_ what: String, _ reason: String) { refused.append(Refusal(what, reason)) }

  /// The corpus of what came, each key once: the first that came stays.
  ///
  /// - Throws: `.missingInput` if nothing did, `.badData`, with the first reasons, if all of it was refused.
  consuming func corpus(_ path: String, _ layout: Layout) throws(Failure) -> SoundCorpus {
    // Stable: of two with the same key the first comes first.
    let order = recordings.indices.sorted { left, right in
      let (leftKey, rightKey) = (recordings[left].key, recordings[right].key)
      return bytesPrecede(leftKey, rightKey) || !bytesPrecede(rightKey, leftKey) && left < right
    }
    var unique: [Recording] = []
    unique.reserveCapacity(order.count)
    // By what Swift takes for the same name: é may be one character or two.
    var positions: [String: Int] = [:]
    positions.reserveCapacity(order.count)
    for index in order {
      let recording = recordings[index]
      if let position = positions[recording.key] {
        let first = unique[position]
        refused.append(
          Refusal(
            places[index],
            "is a second \(recording.key.quoted) (\(recording.location.path)); the first is \(first.location.path)"
          ))
      } else {
        positions[recording.key] = unique.count
        unique.append(recording)
      }
    }
    guard !unique.isEmpty else {
      throw Failure(
        refused.isEmpty ? .missingInput : .badData, "\(path): no sound files" + Self.reasons(refused))
    }
    // Where everybody is to be tested, nobody is left to train on: then the parts say nothing.
    if unique.allSatisfy({ $0.part == .test }) { unique = unique.map { $0.inPart(nil) } }
    return SoundCorpus(path, layout, unique, refused)
  }

  private static func reasons(_ refused: [Refusal]) -> String {
    guard !refused.isEmpty else { return "" }
    let shown = refused.prefix(3).map { "\($0.what.quoted) \($0.reason)" }.joined(separator: "; ")
    return " that can be read: " + shown + (refused.count > 3 ? "; and \(refused.count - 3) more" : "")
  }
}
