import Diagnostics
import TensorFiles

/// WeSpeaker's `shard.list`: a tar file a line, in which members with one name up to the last dot follow one another:
/// `KEY.spk`, whose text is the speaker, and `KEY.wav` or another kind of sound. Other members are passed over.
struct ShardList {
  private var gathering = Gathering()

  /// - Parameter path: a list, or a tar file itself.
  static func read(_ path: String) throws(Failure) -> Gathering {
    var reading = ShardList()
    if path.hasSuffix(".tar") {
      let name = path.split(separator: "/").last.map(String.init) ?? path
      try checkIsFile(path)
      // A list of one line.
      reading.readTar(path, named: "", from: Place(list: name, line: 1))
      return reading.gathering
    }
    var list = try ListReader(path)
    let folder = folder(of: path)
    var sound = ListedSound(relativeTo: folder == "." ? [""] : ["", folder])
    while let line = try list.next(&reading.gathering) {
      let found = Result { () throws(Objection) in try sound.location(line.text) }
      switch found {
      case .success(let location): reading.readTar(location.path, named: line.text, from: line.place)
      case .failure(let objection): reading.gathering.refuse(line.place, objection.reason)
      }
    }
    return reading.gathering
  }

  /// What belongs together in a tar.
  private struct Group {
    let key: String
    var speaker: String?
    var sound: Recording.Location?
    /// Why it is left out, which was said.
    var isRefused = false
  }

  private mutating func readTar(_ path: String, named name: String, from place: Place) {
    let whose = name.isEmpty ? "" : "names \(name.quoted), which "
    var group: Group?
    do throws(Failure) {
      var tar = try TarReader(path)
      while let member = try tar.next() {
        let (key, suffix) = Self.split(member.name)
        if group?.key != key {
          finish(group, whose, place)
          group = Group(key: key)
        }
        let problem: String?
        if let objection = member.objection {
          problem = objection
        } else {
          problem = try take(member, suffix, of: tar, into: &group!)
        }
        if let problem {
          gathering.refuse(place, "\(whose)holds \(member.name.quoted), which \(problem)")
          group!.isRefused = true
        }
      }
    } catch {
      gathering.refuse(place, "\(whose)ends unread: \(error.message)")
    }
    finish(group, whose, place)
  }

  /// - Returns: what is wrong with the member.
  private func take(
    _ member: TarReader.Member, _ suffix: Substring, of tar: TarReader, into group: inout Group
  ) throws(Failure) -> String? {
    if suffix == "spk" {
      guard member.bytes <= 4096 else {
        return "has \(member.bytes) bytes, where a speaker's name is expected"
      }
      guard let text = String(validating: try tar.contents(of: member), as: UTF8.self) else {
        return "is not UTF-8"
      }
      guard group.speaker == nil else { return "is there a second time" }
      group.speaker = text.split(whereSeparator: \.isNewline).map(trimmed).joined(separator: " ")
    } else if let suffix = SoundSuffix(member.name) {
      if let objection = suffix.objection { return objection }
      guard group.sound == nil else { return "is a second sound of the same name" }
      group.sound = .member(archive: tar.path, offset: member.offset, bytes: member.bytes)
    }
    return nil
  }

  private mutating func finish(_ group: Group?, _ whose: String, _ place: Place) {
    guard let group, !group.isRefused else { return }
    switch (group.speaker, group.sound) {
    case (let speaker?, let sound?):
      gathering.add(Recording(key: group.key, speaker: speaker, location: sound), from: place)
    case (nil, .some):
      gathering.refuse(
        place, "\(whose)holds the sound \(group.key.quoted) without its .spk before or behind it")
    case (.some, nil):
      gathering.refuse(
        place, "\(whose)holds \((group.key + ".spk").quoted) without its sound before or behind it")
    case (nil, nil): break
    }
  }

  private static func split(_ name: String) -> (key: String, suffix: Substring) {
    guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")) else { return (name, "") }
    return (String(name[..<dot]), name[name.utf8.index(after: dot)...])
  }
}

/// A text without the blanks around it.
private func trimmed(_ text: Substring) -> String {
  var bytes = text.utf8.drop(while: isBlank)
  while let last = bytes.last, isBlank(last) { bytes.removeLast() }
  return String(Substring(bytes))
}
