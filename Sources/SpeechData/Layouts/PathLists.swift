import Diagnostics
import TensorFiles

/// Lists of paths of the field of VoxCeleb. A path is below the list's folder, or below one of VoxCeleb's folders in it,
/// and is the recording's key. A file that was converted since, and now ends otherwise, is found as well.
enum PathLists {
  /// `SPEAKER PATH`, as clovaai's voxceleb_trainer reads it.
  static func trainList(_ path: String) throws(Failure) -> Gathering {
    try read(path) { fields throws(Objection) in
      guard fields.key != fields.rest, !fields.rest.isEmpty else {
        throw Objection("is \(fields.key.quoted) alone, where SPEAKER PATH is expected")
      }
      return (fields.key, nil)
    }
  }

  /// VoxCeleb1's `1|2|3 PATH`: to train, to validate, to test. The first folder is the speaker.
  static func idenSplit(_ path: String) throws(Failure) -> Gathering {
    try read(path) { fields throws(Objection) in
      guard let part = ["1": Recording.Part.train, "2": .validation, "3": .test][fields.key] else {
        throw Objection(
          "begins with \(fields.key.quoted), where 1, 2 or 3 is expected: to train, to validate, to test")
      }
      let folders = fields.rest.split(separator: "/").dropLast()
      guard let speaker = folders.first(where: { VoxCelebRoots.isSpeaker($0) }) ?? folders.first else {
        throw Objection("names \(fields.rest.quoted), which is in no speaker's folder")
      }
      return (String(speaker), part)
    }
  }

  private static func read(
    _ path: String,
    _ meaning: ((key: String, rest: String)) throws(Objection) -> (speaker: String, part: Recording.Part?)
  ) throws(Failure) -> Gathering {
    var gathering = Gathering()
    var list = try ListReader(path)
    let folder = folder(of: path)
    let inner = VoxCelebRoots(folder).folders.filter { !$0.isEmpty && $0 != "wav" }.map { "\(folder)/\($0)" }
    var sound = ListedSound(
      relativeTo: [folder, "\(folder)/wav"] + inner + (folder == "." ? [] : [""]), allowsOtherSuffixes: true)
    while let line = try list.next(&gathering) {
      let fields = line.keyAndRest
      let recording = Result { () throws(Objection) in
        let (speaker, part) = try meaning(fields)
        return Recording(
          key: fields.rest, speaker: speaker, location: try sound.location(fields.rest), part: part)
      }
      gathering.add(recording, from: line.place)
    }
    return gathering
  }
}
