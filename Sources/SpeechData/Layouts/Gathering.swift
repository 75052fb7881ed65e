import Diagnostics

/// Recordings on their way into a corpus.
struct Gathering {
  private var recordings: [Recording] = []
  private(set) var refused: [Refusal] = []
  /// Where each recording is listed: the position of the list in `lists`, and its line; of files that were found
  /// themselves, -1. As few bytes as will do: there may be millions.
  private var places: [(list: Int32, line: Int32)] = []
  private var lists: [String] = []

  private static let longestName = 4096

  init(refused: [Refusal] = []) { self.refused = refused }

  /// Takes a recording, unless its key or its speaker is no name.
  ///
  /// - Parameter place: where it is listed; nil for a file that was found itself.
  mutating func add(_ recording: Recording, from place: Place? = nil) {
    for (name, what) in [(recording.key, "key"), (recording.speaker, "speaker")] {
      guard !name.isEmpty, name.utf8.count <= Self.longestName,
        !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
      else {
        refuse(
          place?.description ?? recording.location.path,
          "has the \(what) \(name.quoted), where a name of 1 to \(Self.longestName) bytes without control characters is"
            + " expected")
        return
      }
    }
    recordings.append(recording)
    guard let place else { return places.append((-1, 0)) }
    if lists.last != place.list { lists.append(place.list) }
    places.append((Int32(lists.count - 1), Int32(clamping: place.line)))
  }

  /// Takes what a line of a list became.
  mutating func add(_ recording: Result<Recording, Objection>, from place: Place) {
    switch recording {
    case .success(let recording): add(recording, from: place)
    case .failure(let objection): refuse(place, objection.reason)
    }
  }

  mutating func refuse(_ what: String, _ reason: String) { refused.append(Refusal(what, reason)) }

  mutating func refuse(_ place: Place, _ reason: String) { refuse(place.description, reason) }

  /// The corpus of what came, each key once: the first that came stays.
  ///
  /// - Throws: `.missingInput` if nothing did, `.badData`, with the first reasons, if all of it was refused.
  mutating func corpus(_ path: String, _ layout: Layout) throws(Failure) -> SoundCorpus {
    sort()
    // Names that are not ASCII may be the same with other bytes: é is one character or two.
    var others: [String: Int] = [:]
    var count = 0
    for index in recordings.indices {
      let recording = recordings[index]
      let isASCII = recording.key.utf8.allSatisfy { $0 < 0x80 }
      let last = count > 0 && recordings[count - 1].key == recording.key ? count - 1 : nil
      if let first = isASCII ? last : others[recording.key] {
        let (list, line) = places[index]
        refuse(
          list < 0 ? recording.key : Place(list: lists[Int(list)], line: Int(line)).description,
          "is a second \(recording.key.quoted) (\(recording.location.path)); the first is \(recordings[first].location.path)"
        )
        continue
      }
      if !isASCII { others[recording.key] = count }
      recordings.swapAt(count, index)
      count += 1
    }
    recordings.removeSubrange(count...)
    guard !recordings.isEmpty else {
      throw Failure(
        refused.isEmpty ? .missingInput : .badData, "\(path): no sound files" + Self.reasons(refused))
    }
    // Where everybody is to be tested, nobody is left to train on: then the parts say nothing.
    if recordings.allSatisfy({ $0.part == .test }) { recordings = recordings.map { $0.inPart(nil) } }
    return SoundCorpus(path, layout, recordings, refused)
  }

  /// By the bytes of the keys, and of two with the same key the first that came first; without a second copy.
  private mutating func sort() {
    let order = recordings.indices.sorted { left, right in
      let (leftKey, rightKey) = (recordings[left].key, recordings[right].key)
      return bytesPrecede(leftKey, rightKey) || !bytesPrecede(rightKey, leftKey) && left < right
    }
    for index in order.indices {
      // Where the recording that belongs here was swapped to meanwhile.
      var from = order[index]
      while from < index { from = order[from] }
      recordings.swapAt(index, from)
      places.swapAt(index, from)
    }
  }

  private static func reasons(_ refused: [Refusal]) -> String {
    guard !refused.isEmpty else { return "" }
    let shown = refused.prefix(3).map { "\($0.what.quoted) \($0.reason)" }.joined(separator: "; ")
    return " that can be read: " + shown + (refused.count > 3 ? "; and \(refused.count - 3) more" : "")
  }
}
