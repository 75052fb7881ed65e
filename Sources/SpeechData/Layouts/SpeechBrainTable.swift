import Diagnostics
import Glibc
import TensorFiles

/// SpeechBrain's CSV with the columns `ID`, `wav` and `spk_id`, and `start` and `stop` in samples where a recording is
/// a part of a file. `duration`, that of the whole file, is not believed.
enum SpeechBrainTable {
  private static let files: [(name: String, part: Recording.Part)] = [
    ("train.csv", .train), ("dev.csv", .validation), ("valid.csv", .validation), ("test.csv", .test),
  ]

  /// Reads one table, or those of a folder by the parts that their names say.
  static func read(_ path: String) throws(Failure) -> Gathering {
    var gathering = Gathering()
    guard FileWriting.isFolder(path) else {
      try read(path, nil, into: &gathering)
      return gathering
    }
    let there = files.filter { access("\(path)/\($0.name)", F_OK) == 0 }
    guard !there.isEmpty else {
      throw Failure(.missingInput, "\(path): no \(listed(files.map(\.name), "or")): give the CSV itself")
    }
    for (name, part) in there { try read("\(path)/\(name)", part, into: &gathering) }
    return gathering
  }

  /// Whether a line is the heading of such a table.
  static func isHeader(_ line: String) -> Bool { Columns(line) != nil }

  private static func read(
    _ path: String, _ part: Recording.Part?, into gathering: inout Gathering
  ) throws(Failure) {
    var list = try ListReader(path)
    guard let heading = try list.next(&gathering), let columns = Columns(heading.text) else {
      throw Failure(
        .badData,
        "\(path): its first line has to name the columns ID, wav and spk_id: ID,duration,wav,start,stop,spk_id"
      )
    }
    let folder = folder(of: path)
    var sound = ListedSound(relativeTo: folder == "." ? [""] : ["", folder])
    while let line = try list.next(&gathering) {
      let recording = Result { () throws(Objection) in
        let fields = try fields(line.text)
        guard fields.count == columns.count else {
          throw Objection("has \(fields.count) fields, where the heading has \(columns.count)")
        }
        return Recording(
          key: fields[columns.id], speaker: fields[columns.speaker],
          location: try sound.location(resolved(fields[columns.wav], folder)),
          segments: try segments(
            columns.start.map { fields[$0] } ?? "", columns.stop.map { fields[$0] } ?? ""),
          part: part)
      }
      gathering.add(recording, from: line.place)
    }
  }

  private struct Columns {
    let count: Int
    let id: Int
    let wav: Int
    let speaker: Int
    let start: Int?
    let stop: Int?

    init?(_ heading: String) {
      guard let names = try? SpeechBrainTable.fields(heading), let id = names.firstIndex(of: "ID"),
        let wav = names.firstIndex(of: "wav"), let speaker = names.firstIndex(of: "spk_id")
      else { return nil }
      count = names.count
      (self.id, self.wav, self.speaker) = (id, wav, speaker)
      (start, stop) = (names.firstIndex(of: "start"), names.firstIndex(of: "stop"))
    }
  }

  /// With the folder of the table for the variable that its maker left in it.
  private static func resolved(_ wav: String, _ folder: String) -> String {
    for variable in ["$data_root/", "${data_root}/", "{data_root}/"] where wav.hasPrefix(variable) {
      return "\(folder)/\(wav.dropFirst(variable.count))"
    }
    return wav
  }

  private static func segments(_ start: String, _ stop: String) throws(Objection) -> [Recording.Segment] {
    if start.isEmpty && stop.isEmpty { return [] }
    guard let first = samples(start.isEmpty ? "0" : start),
      let end = stop.isEmpty ? .infinity : samples(stop),
      first < end
    else {
      throw Objection(
        "is from \(start.quoted) to \(stop.quoted), where two numbers of samples are expected, the larger one behind"
      )
    }
    return first == 0 && end == .infinity ? [] : [Recording.Segment(start: first, end: end, unit: .samples)]
  }

  private static func samples(_ text: String) -> Double? {
    guard let value = Double(text), value >= 0, value <= 1e15, value == value.rounded() else { return nil }
    return value
  }

  /// The fields of a line of a CSV as Python's `csv` writes it; blanks around a field do not count.
  private static func fields(_ line: String) throws(Objection) -> [String] {
    var fields: [String] = [], field: [UInt8] = []
    var isQuoted = false, wasQuoted = false
    var bytes = Array(line.utf8)[...]
    while let byte = bytes.popFirst() {
      if isQuoted {
        if byte != UInt8(ascii: "\"") {
          field.append(byte)
        } else if bytes.first == UInt8(ascii: "\"") {
          field.append(bytes.removeFirst())
        } else {
          isQuoted = false
        }
      } else if byte == UInt8(ascii: ",") {
        fields.append(text(field, wasQuoted))
        (field, wasQuoted) = ([], false)
      } else if byte == UInt8(ascii: "\""), field.allSatisfy(isBlank), !wasQuoted {
        (field, isQuoted, wasQuoted) = ([], true, true)
      } else if !wasQuoted || !isBlank(byte) {
        field.append(byte)
      }
    }
    guard !isQuoted else { throw Objection("has a quotation mark that is not closed") }
    return fields + [text(field, wasQuoted)]
  }

  private static func text(_ field: [UInt8], _ isExact: Bool) -> String {
    var field = field[...]
    if !isExact {
      field = field.drop(while: isBlank)
      while let last = field.last, isBlank(last) { field.removeLast() }
    }
    return String(decoding: field, as: UTF8.self)
  }
}
