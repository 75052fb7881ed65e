import Diagnostics
import Glibc
import TensorFiles

/// What the three JSON files of the homework's directory say, checked against each other.
///
/// The order of `utterances` is the notebook's dataset order: speakers in the order of their JSON keys, each
/// speaker's list in its order.
struct HomeworkIndex {
  let speakers: [String]
  let utterances: [Utterance]
  let tests: [Utterance]?

  /// Reads `metadata.json`, and `mapping.json` and `testdata.json` if they are there.
  init(directory: String) throws {
    let metadata = try JSONFile(reading: "\(directory)/metadata.json")
    try Self.checkBins(metadata)
    let bySpeaker = try metadata.object("speakers")
    let mappingPath = "\(directory)/mapping.json"
    if access(mappingPath, F_OK) == 0 {
      speakers = try Self.speakers(mapping: JSONFile(reading: mappingPath))
    } else {
      speakers = bySpeaker.map(\.key).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
    utterances = try Self.utterances(metadata, bySpeaker, speakers: speakers)
    let testPath = "\(directory)/testdata.json"
    tests = access(testPath, F_OK) == 0 ? try Self.tests(JSONFile(reading: testPath)) : nil
  }

  /// The speakers' names by label.
  private static func speakers(mapping file: JSONFile) throws -> [String] {
    let pairs = try file.object("speaker2id")
    var names = [String?](repeating: nil, count: pairs.count)
    for (name, value) in pairs {
      guard let label = value.int, names.indices.contains(label) else {
        throw file.failure(
          "speaker2id.\(name)",
          "must be one of the whole numbers 0 to \(pairs.count - 1), as there are \(pairs.count) speakers")
      }
      if let other = names[label] {
        throw file.failure("speaker2id", "gives \(other) and \(name) the same label \(label)")
      }
      names[label] = name
    }
    let speakers = names.map { $0! }  // as many labels as places, none twice
    try checkInverse(file, speakers)
    return speakers
  }

  /// `id2speaker` must be the inverse of `speaker2id`, when it is there: the notebook's inference reads it.
  private static func checkInverse(_ file: JSONFile, _ speakers: [String]) throws {
    guard file.root["id2speaker"] != nil else { return }
    let inverse = try file.object("id2speaker")
    for (key, value) in inverse {
      guard let label = Int(key), String(label) == key, speakers.indices.contains(label) else {
        throw file.failure(
          "id2speaker.\(key)", "is not one of the labels 0 to \(speakers.count - 1) of speaker2id")
      }
      guard value.string == speakers[label] else {
        throw file.failure(
          "id2speaker.\(key)", "must be \(speakers[label]), the speaker that speaker2id gives label \(label)")
      }
    }
    guard inverse.count == speakers.count else {
      throw file.failure("id2speaker", "has \(inverse.count) speakers, but speaker2id has \(speakers.count)")
    }
  }

  private static func utterances(
    _ file: JSONFile, _ bySpeaker: JSONObject, speakers: [String]
  ) throws -> [Utterance] {
    let labels = Dictionary(uniqueKeysWithValues: zip(speakers, speakers.indices))
    var utterances: [Utterance] = []
    var paths = PathSet()
    for (speaker, list) in bySpeaker {
      guard let label = labels[speaker] else {
        throw file.failure(
          "speakers.\(speaker)", "has no label: mapping.json's speaker2id does not list this speaker")
      }
      let key = "speakers.\(speaker)"
      guard let list = list.array else { throw file.failure(key, "must be a list of utterances") }
      for (position, entry) in list.enumerated() {
        let (path, frames) = try paths.entry(entry, of: file, key: "\(key)[\(position)]")
        utterances.append(Utterance(path: path, frames: frames, label: label))
      }
    }
    guard !utterances.isEmpty else { throw file.failure("speakers", "lists no utterance") }
    return utterances
  }

  private static func tests(_ file: JSONFile) throws -> [Utterance] {
    try checkBins(file)
    var paths = PathSet()
    return try file.array("utterances").enumerated().map { position, entry in
      let (path, frames) = try paths.entry(entry, of: file, key: "utterances[\(position)]")
      return Utterance(path: path, frames: frames, label: Utterance.unlabelled)
    }
  }

  private static func checkBins(_ file: JSONFile) throws {
    guard file.root["n_mels"]?.int == Corpus.homeworkBands else {
      throw file.failure("n_mels", "must be \(Corpus.homeworkBands), the mel bins this program is made for")
    }
  }
}

/// The feature paths of one list, each of which may occur once.
private struct PathSet {
  private var seen: Set<String> = []

  /// Reads and checks one `{"feature_path": …, "mel_len": …}`.
  mutating func entry(_ entry: JSON, of file: JSONFile, key: String) throws -> (path: String, frames: Int) {
    guard let path = entry["feature_path"]?.string else {
      throw file.failure("\(key).feature_path", "must be a string")
    }
    // The upper bound keeps the sizes of the packed format, frames · 160 bytes, far from overflow.
    guard let frames = entry["mel_len"]?.int, (1...Int(Int32.max)).contains(frames) else {
      throw file.failure("\(key).mel_len", "must be a whole number of frames, at least 1")
    }
    guard path.staysInsideDirectory else {
      throw file.failure(
        "\(key).feature_path", "is \(path.quoted), which is not a path inside the directory")
    }
    guard seen.insert(path).inserted else {
      throw file.failure("\(key).feature_path", "lists \(path) a second time")
    }
    return (path, frames)
  }
}

extension String {
  /// Whether the string, as a path relative to a directory, can only name something below it.
  var staysInsideDirectory: Bool {
    // Byte by byte, as the system reads a path: a slash and an accent behind it are one Character.
    !isEmpty && !utf8.contains(0) && utf8.first != UInt8(ascii: "/")
      && !utf8.split(separator: UInt8(ascii: "/")).contains { $0.elementsEqual("..".utf8) }
  }
}
