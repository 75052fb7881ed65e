import Diagnostics
import Glibc
import TensorFiles

/// Why a line of a list, a member of a tar or a file is left out: a predicate of it.
struct Objection: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}

/// Finds the files that a list names. Nothing is opened but archives of Kaldi's, and nothing is ever run.
struct ListedSound {
  /// The folders that a relative path may be relative to, the likeliest first; `""` is the working folder.
  private let bases: [String]
  /// Whether `PATH:OFFSET` is a sound file inside an archive.
  private let allowsOffsets: Bool
  /// Whether a file that is not there may be one that ends in another kind of sound.
  private let allowsOtherSuffixes: Bool
  /// The archive that was looked into last.
  private var archive: InputFile?

  init(relativeTo bases: [String], allowsOffsets: Bool = false, allowsOtherSuffixes: Bool = false) {
    self.bases = bases
    self.allowsOffsets = allowsOffsets
    self.allowsOtherSuffixes = allowsOtherSuffixes
  }

  /// Where the sound lies that a list calls `text`.
  mutating func location(_ text: String) throws(Objection) -> Recording.Location {
    try Self.checkIsPath(text)
    if let (path, problem) = find(text) {
      guard problem == nil else { throw Objection("names \(text.quoted), which \(problem!)") }
      if let objection = SoundSuffix(text)?.objection {
        throw Objection("names \(text.quoted), which \(objection)")
      }
      return .file(path)
    }
    if allowsOffsets, let (path, offset) = Self.splitOffset(text), let (found, problem) = find(path) {
      guard problem == nil else { throw Objection("names \(path.quoted), which \(problem!)") }
      return try member(found, at: offset, calledAs: text)
    }
    if allowsOtherSuffixes, SoundSuffix(text) != nil {
      for suffix in SoundSuffix.readable {
        if let (path, problem) = find(withoutSuffix(text) + "." + suffix), problem == nil {
          return .file(path)
        }
      }
    }
    throw Objection(missing(text))
  }

  /// Refuses what Kaldi, WeSpeaker or a shell would run or fetch.
  static func checkIsPath(_ text: String) throws(Objection) {
    guard !text.isEmpty else { throw Objection("names no file") }
    guard text != "-" else {
      throw Objection(
        "means standard input (-), which a list cannot: write the sound to a file and name that")
    }
    guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
      throw Objection("names \(text.quoted), in which a control character is: rename it")
    }
    guard text.first != "|", text.last != "|" else {
      throw Objection(
        "is a command (\(text.quoted)), and nothing that a list says is run: write its output to a file, with"
          + " scripts/convert-m4a where it converts, and name that")
    }
    let scheme = text.utf8.prefix { $0 != UInt8(ascii: ":") }
    let isAddress =
      text.utf8[scheme.endIndex...].starts(with: "://".utf8) && !scheme.contains(UInt8(ascii: "/"))
    guard !isAddress, !text.hasPrefix("pipe:"), !text.hasPrefix("data:") else {
      throw Objection("is an address (\(text.quoted)), and nothing is fetched: load the file and name that")
    }
  }

  /// Where there is something of that name, and what is wrong with it.
  private func find(_ text: String) -> (path: String, problem: String?)? {
    var unreachable: (String, String)?
    for base in text.utf8.first == UInt8(ascii: "/") ? [""] : bases {
      let path = base.isEmpty ? text : "\(base)/\(text)"
      var status = stat()
      guard stat(path, &status) == 0 else {
        let code = errno
        if code != ENOENT && code != ENOTDIR {
          unreachable = unreachable ?? (path, "cannot be reached: \(String(cString: strerror(code)))")
        }
        continue
      }
      switch status.st_mode & S_IFMT {
      case S_IFREG: return (path, nil)
      case S_IFDIR: return (path, "is a folder")
      default: return (path, "is no file, but a pipe, a socket or a device")
      }
    }
    return unreachable
  }

  private func missing(_ text: String) -> String {
    for suffix in SoundSuffix.convertible where find(withoutSuffix(text) + "." + suffix) != nil {
      return
        "names \(text.quoted), of which there is the .\(suffix) alone: scripts/convert-m4a makes WAV of it"
    }
    let places = bases.map { $0.isEmpty ? "the working folder" : $0 }
    let isRelative = text.utf8.first != UInt8(ascii: "/")
    return "names \(text.quoted), which is not there"
      + (isRelative ? " (looked for in \(listed(places, "and")))" : "")
  }

  /// `PATH:OFFSET`, if that is what a text is.
  private static func splitOffset(_ text: String) -> (path: String, offset: Int)? {
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")), colon > text.startIndex,
      let offset = wholeNumber(text[text.utf8.index(after: colon)...])
    else { return nil }
    return (String(text[..<colon]), offset)
  }

  /// A WAV inside an archive: how long it is it says itself, and the archive's end comes first.
  private mutating func member(
    _ path: String, at offset: Int, calledAs text: String
  ) throws(Objection) -> Recording.Location {
    if archive?.path != path {
      archive = nil
      do throws(Failure) {
        archive = try InputFile(path: path)
      } catch {
        throw Objection("names \(text.quoted), which cannot be read: \(error.message)")
      }
    }
    let archive = archive!
    guard let header = try? archive.read(at: offset, count: 12), header.starts(with: "RIFF".utf8),
      header[8...].elementsEqual("WAVE".utf8)
    else {
      throw Objection("names \(text.quoted), where no WAV begins")
    }
    let size = header[4..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let rest = archive.byteCount - offset
    // Sizes that a stream leaves behind, which cannot know them: all to the end.
    let isStreamed = [0, 0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F024].contains(size)
    return .member(archive: path, offset: offset, bytes: isStreamed ? rest : min(size + 8, rest))
  }
}

/// Refuses what is no file before it is opened: opening a device can do something.
///
/// - Throws: `.missingInput` if it is not there, `.badData` if it is no file.
func checkIsFile(_ path: String) throws(Failure) {
  var status = stat()
  guard stat(path, &status) == 0 else {
    throw errno == ENOENT || errno == ENOTDIR
      ? Failure(.missingInput, "\(path): no such file") : Failure.system(errno, path, "reading failed")
  }
  guard status.st_mode & S_IFMT == S_IFREG else {
    let isFolder = status.st_mode & S_IFMT == S_IFDIR
    throw Failure(
      .badData,
      "\(path): is \(isFolder ? "a folder" : "a pipe, a socket or a device"), where a file is needed")
  }
}

/// The folder that a file is in; `.` for a bare name.
func folder(of path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// A whole number written in at most 18 decimal digits, and nothing else.
func wholeNumber(_ text: Substring) -> Int? {
  guard (1...18).contains(text.utf8.count),
    text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 })
  else { return nil }
  return Int(text)
}
