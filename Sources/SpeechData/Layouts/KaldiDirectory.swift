import Diagnostics
import Glibc

/// A directory of Kaldi's: `wav.scp`, `utt2spk` or `spk2utt`, and `segments` where there are any.
///
/// The format is Kaldi's (kaldi-asr.org/doc/data_prep.html). What is relative is so to the working folder, as in Kaldi,
/// or else to the directory.
struct KaldiDirectory {
  private let directory: String
  private var gathering: Gathering
  /// Whose an utterance is, in which line that is said, and whether the utterance is there.
  private var speakers: [String: (speaker: String, line: Int, isUsed: Bool)] = [:]
  /// `utt2spk` or `spk2utt`.
  private var speakerList = "utt2spk"
  private var recordings: [String: Recording.Location] = [:]
  /// The recordings and utterances that are left out, which was said.
  private var refused: Set<String> = []

  /// The shortest segment in seconds, as in Kaldi's extract-segments.
  private static let shortestSegment = 0.1

  /// - Throws: `.missingInput` without `wav.scp` or the speakers, `.badData`, with file and line, where two lines
  ///   contradict each other, `.inputOutput`.
  static func read(_ directory: String) throws(Failure) -> Gathering {
    var reading = KaldiDirectory(directory)
    try reading.readSpeakers()
    let hasSegments = access("\(directory)/segments", F_OK) == 0
    try reading.readRecordings(asUtterances: !hasSegments)
    if hasSegments { try reading.readSegments() }
    reading.refuseUnusedSpeakers(listedIn: hasSegments ? "segments" : "wav.scp")
    return reading.gathering
  }

  private init(_ directory: String) {
    self.directory = directory
    gathering = Gathering()
  }

  private mutating func readSpeakers() throws(Failure) {
    let names = ["utt2spk", "spk2utt"]
    guard let name = names.first(where: { access("\(directory)/\($0)", F_OK) == 0 }) else {
      throw Failure(
        .missingInput, "\(directory) holds wav.scp but neither utt2spk nor spk2utt, which say whose is what")
    }
    speakerList = name
    var list = try ListReader("\(directory)/\(name)")
    while let line = try list.next(&gathering) {
      let fields = line.fields
      guard fields.count == 2 || fields.count > 2 && name == "spk2utt" else {
        let form = name == "utt2spk" ? "an utterance and its speaker" : "a speaker and the utterances"
        gathering.refuse(line.place, "has \(fields.count) fields, where \(form) are expected")
        continue
      }
      let speaker = String(name == "utt2spk" ? fields[1] : fields[0])
      for utterance in name == "utt2spk" ? fields[..<1] : fields[1...] {
        try set(speaker, of: String(utterance), line, list.path)
      }
    }
  }

  private mutating func set(
    _ speaker: String, of utterance: String, _ line: ListReader.Line, _ path: String
  ) throws(Failure) {
    guard let other = speakers.updateValue((speaker, line.number, false), forKey: utterance) else {
      return
    }
    guard other.speaker == speaker else {
      throw Failure(
        .badData,
        "\(path), line \(line.number): says that \(utterance.quoted) is \(speaker.quoted), and line \(other.line) that it"
          + " is \(other.speaker.quoted): one of them has to go")
    }
  }

  private mutating func readRecordings(asUtterances: Bool) throws(Failure) {
    var list = try ListReader("\(directory)/wav.scp")
    var sound = ListedSound(relativeTo: ["", directory], allowsOffsets: true)
    while let line = try list.next(&gathering) {
      let (key, value) = line.keyAndRest
      let found = Result { () throws(Objection) in try sound.location(value) }
      switch found {
      case .failure(let objection):
        gathering.refuse(line.place, objection.reason)
        refused.insert(key)
      case .success(let location) where asUtterances:
        add(key, location, line)
      case .success(let location):
        if let other = recordings.updateValue(location, forKey: key), other != location {
          throw Failure(
            .badData,
            "\(list.path), line \(line.number): the recording \(key.quoted) is there already, with another file"
          )
        }
      }
    }
  }

  private mutating func readSegments() throws(Failure) {
    var list = try ListReader("\(directory)/segments")
    while let line = try list.next(&gathering) {
      let fields = line.fields
      guard (4...5).contains(fields.count) else {
        gathering.refuse(
          line.place, "has \(fields.count) fields, where UTTERANCE RECORDING START END [CHANNEL] are expected"
        )
        continue
      }
      let utterance = String(fields[0]), recording = String(fields[1])
      guard let location = recordings[recording] else {
        guard refused.contains(recording) else {
          throw Failure(
            .badData,
            "\(list.path), line \(line.number): is a part of \(recording.quoted), which wav.scp does not name"
          )
        }
        gathering.refuse(line.place, "is a part of \(recording.quoted), which is left out itself")
        refused.insert(utterance)
        continue
      }
      let segment = Result { () throws(Objection) in try Self.segment(fields) }
      switch segment {
      case .success(let (stretch, channel)): add(utterance, location, line, [stretch], channel)
      case .failure(let objection):
        gathering.refuse(line.place, objection.reason)
        refused.insert(utterance)
      }
    }
  }

  private static func segment(
    _ fields: [Substring]
  ) throws(Objection) -> (Recording.Segment, channel: Int?) {
    guard let start = Double(fields[2]), let end = Double(fields[3]), start.isFinite, end.isFinite else {
      throw Objection(
        "is from \(String(fields[2]).quoted) to \(String(fields[3]).quoted), where two times in seconds are expected"
      )
    }
    guard start >= 0, end == -1 || end > start else {
      throw Objection(
        "is from \(start) to \(end) s: a segment begins at 0 or later and ends after that, or at -1 for the end"
      )
    }
    // A thousandth of a sample less: 1.1 - 1.0 is less than 0.1.
    guard end == -1 || end - start > shortestSegment - 1e-7 else {
      throw Objection("is \(start) to \(end) s, shorter than \(shortestSegment) s")
    }
    var channel: Int?
    if fields.count == 5, fields[4] != "-1" {
      guard let number = wholeNumber(fields[4]), number < 1024 else {
        throw Objection("has the channel \(String(fields[4]).quoted), where a number from 0 is expected")
      }
      channel = number
    }
    return (Recording.Segment(start: start, end: end == -1 ? .infinity : end), channel)
  }

  private mutating func add(
    _ utterance: String, _ location: Recording.Location, _ line: ListReader.Line,
    _ segments: [Recording.Segment] = [], _ channel: Int? = nil
  ) {
    guard let position = speakers.index(forKey: utterance) else {
      gathering.refuse(line.place, "names \(utterance.quoted), whose speaker is not listed")
      return
    }
    speakers.values[position].isUsed = true
    let speaker = speakers.values[position].speaker
    gathering.add(
      // The name that is in memory already.
      Recording(
        key: speakers.keys[position], speaker: speaker, location: location, segments: segments,
        channel: channel),
      from: line.place)
  }

  private mutating func refuseUnusedSpeakers(listedIn name: String) {
    let unused = speakers.filter { !$0.value.isUsed && !refused.contains($0.key) }
    for (utterance, entry) in unused.sorted(by: { ($0.value.line, $0.key) < ($1.value.line, $1.key) }) {
      gathering.refuse(
        Place(list: speakerList, line: entry.line), "names \(utterance.quoted), which is not in \(name)")
    }
  }
}
