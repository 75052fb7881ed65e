import Diagnostics
import TensorFiles

/// WeSpeaker's `raw.list`: a JSON object a line with `key`, `spk`, `wav` and, where silence was found, `vad`: pairs of
/// times in seconds, as numbers or as strings.
enum RawList {
  static func read(_ path: String) throws(Failure) -> Gathering {
    var gathering = Gathering()
    var list = try ListReader(path)
    let folder = folder(of: path)
    var sound = ListedSound(relativeTo: folder == "." ? [""] : ["", folder])
    while let line = try list.next(&gathering) {
      let recording = Result { () throws(Objection) in try Self.recording(line, &sound) }
      gathering.add(recording, from: line.place)
    }
    return gathering
  }

  private static func recording(
    _ line: ListReader.Line, _ sound: inout ListedSound
  ) throws(Objection) -> Recording {
    let json: JSON
    do throws(Failure) {
      json = try JSON.parse(Array(line.text.utf8), name: "JSON")
    } catch {
      throw Objection("is not read: \(error.message)")
    }
    guard let key = name(json["key"]), let speaker = name(json["spk"]) else {
      throw Objection("lacks key or spk, where an object with key, spk and wav is expected")
    }
    guard let wav = json["wav"]?.string else {
      throw Objection(
        json["feat"] == nil
          ? "lacks wav, where an object with key, spk and wav is expected"
          : "names features (feat), where sound (wav) is expected")
    }
    return Recording(
      key: key, speaker: speaker, location: try sound.location(wav),
      segments: try json["vad"].map(segments) ?? [])
  }

  private static func segments(_ vad: JSON) throws(Objection) -> [Recording.Segment] {
    guard let pairs = vad.array else { throw Objection("has a vad that is no list of pairs of times") }
    guard !pairs.isEmpty else { throw Objection("has an empty vad: nobody speaks in it") }
    var segments: [Recording.Segment] = []
    for pair in pairs {
      guard let times = pair.array, times.count == 2, let start = seconds(times[0]),
        let end = seconds(times[1]),
        start >= 0, end > start
      else {
        throw Objection(
          "has \(pair.serialized().quoted) in its vad, where two times in seconds are expected, the later one behind"
        )
      }
      segments.append(Recording.Segment(start: start, end: end))
    }
    return segments
  }

  private static func seconds(_ value: JSON) -> Double? {
    (value.double ?? value.string.flatMap(Double.init)).flatMap { $0.isFinite ? $0 : nil }
  }

  private static func name(_ value: JSON?) -> String? { value?.string ?? value?.int.map(String.init) }
}
