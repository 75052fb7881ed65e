import Diagnostics
import TensorFiles

/// The layouts in which the folders, or the names of the files, say whose a recording is.
enum FolderLayouts {
  /// The first folder is the speaker. A key is a path below the root.
  ///
  /// Where there are no other folders than those of parts (`train`, `test`, …) or of a whole (`data`, `wav`), with folders
  /// in them, the speakers are these: nobody is called so.
  static func speakerFolders(_ root: String) throws(Failure) -> Gathering {
    let tree = try SoundTree(root)
    var gathering = Gathering(refused: tree.refused)
    let folders = tree.files.map { $0.split(separator: "/", maxSplits: 2).dropLast() }
    let first = Set(folders.compactMap { $0.first?.lowercased() })
    let isInParts =
      !first.isEmpty && first.isSubset(of: parts.keys) && folders.allSatisfy { $0.isEmpty || $0.count == 2 }
    for (file, folders) in zip(tree.files, folders) {
      guard let speaker = isInParts ? folders.last : folders.first else {
        gathering.refuse(
          file,
          "lies in no speaker's folder: --speaker-from REGEX says how the name of a file tells its speaker")
        continue
      }
      gathering.add(
        Recording(
          key: file, speaker: String(speaker), location: .file("\(root)/\(file)"),
          part: isInParts ? parts[folders[0].lowercased()] ?? nil : nil))
    }
    return gathering
  }

  private static let parts: [String: Recording.Part?] = [
    "train": .train, "training": .train, "dev": .validation, "val": .validation, "valid": .validation,
    "validation": .validation, "test": .test, "testing": .test, "eval": .test, "data": nil, "audio": nil,
    "wav": nil,
    "wavs": nil, "flac": nil,
  ]

  /// VoxCeleb 1 and 2, as unpacked, merged or converted. A key is a path from the speaker's folder on, as in its lists
  /// of trials.
  static func voxCeleb(_ root: String) throws(Failure) -> Gathering {
    let roots = VoxCelebRoots(root)
    guard !roots.folders.isEmpty else {
      throw Failure(
        .missingInput,
        "\(root): no folders id10001, id00012, … in it, in its wav or aac, or in those of its dev and test")
    }
    let tree = try SoundTree(root, under: roots.outermost)
    var gathering = Gathering()
    var stems: Set<Substring> = []
    for file in tree.files {
      let (speaker, key) = roots.speakerAndKey(file)
      guard let speaker else {
        gathering.refuse(file, "lies in no folder named as VoxCeleb's speakers, id and five digits")
        continue
      }
      stems.insert(withoutSuffix(key))
      gathering.add(
        Recording(key: key, speaker: speaker, location: .file("\(root)/\(file)"), part: roots.part(file)))
    }
    // What was converted is there twice, as AAC and as sound that is read.
    for refusal in tree.refused where !stems.contains(withoutSuffix(roots.speakerAndKey(refusal.what).key)) {
      gathering.refuse(refusal.what, refusal.reason)
    }
    return gathering
  }

  /// `SUBSET/SPEAKER/CHAPTER/SPEAKER-CHAPTER-0000.flac`, from any of these folders on or one above. A key is the name
  /// of a file without its suffix, as in the corpus's transcripts.
  static func libriSpeech(_ root: String) throws(Failure) -> Gathering {
    let tree = try SoundTree(root)
    var gathering = Gathering(refused: tree.refused)
    for file in tree.files {
      guard let name = LibriSpeechName(file) else {
        gathering.refuse(file, "is not named as LibriSpeech names its files, SPEAKER-CHAPTER-0000.flac")
        continue
      }
      let isTest = file.split(separator: "/").dropLast(3).last?.hasPrefix("test-") ?? false
      gathering.add(
        Recording(
          key: name.key, speaker: name.speaker, location: .file("\(root)/\(file)"), part: isTest ? .test : nil
        ))
    }
    return gathering
  }

  /// Any sound files below a folder whose names tell the speaker.
  ///
  /// - Parameter expression: a regular expression whose first group is the speaker. It is looked for in the name of a
  ///   file, or, if it has a slash, in the path below the root.
  static func fileNames(_ root: String, _ expression: String) throws(Failure) -> Gathering {
    let pattern: Regex<AnyRegexOutput>
    do {
      pattern = try Regex(expression)
    } catch {
      throw Failure(
        .usage, "--speaker-from \(expression.quoted) is no regular expression: \("\(error)".onOneLine)")
    }
    let usesPath = expression.contains("/")
    let tree = try SoundTree(root)
    var gathering = Gathering(refused: tree.refused)
    for file in tree.files {
      let name =
        usesPath
        ? file : String(file[(file.lastIndex(of: "/").map(file.index(after:)) ?? file.startIndex)...])
      guard let match = name.firstMatch(of: pattern) else {
        gathering.refuse(file, "does not match --speaker-from \(expression.quoted)")
        continue
      }
      guard match.output.count > 1 else {
        throw Failure(
          .usage,
          "--speaker-from \(expression.quoted) has no group: put the part that is the speaker in parentheses, as in"
            + " '_([a-z]+)_'")
      }
      guard let speaker = match.output[1].substring, !speaker.isEmpty else {
        gathering.refuse(file, "matches --speaker-from \(expression.quoted) with nothing in its first group")
        continue
      }
      gathering.add(Recording(key: file, speaker: String(speaker), location: .file("\(root)/\(file)")))
    }
    return gathering
  }
}

/// A path without what is behind the last dot of its last part.
func withoutSuffix(_ path: String) -> Substring {
  guard let dot = path.utf8.lastIndex(of: UInt8(ascii: ".")), !path.utf8[dot...].contains(UInt8(ascii: "/"))
  else {
    return path[...]
  }
  return path[..<dot]
}

/// What the name of a file of LibriSpeech says: `1034-121119-0005.flac`.
struct LibriSpeechName {
  let speaker: String
  let key: String

  /// nil for another name, or one in other folders than its own.
  init?(_ path: String) {
    let parts = path.utf8.split(separator: UInt8(ascii: "/"))
    guard parts.count >= 1, let name = parts.last else { return nil }
    let stem = name.prefix { $0 != UInt8(ascii: ".") }
    let numbers = stem.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard numbers.count == 3, numbers.allSatisfy(Self.isNumber) else { return nil }
    // As far as the folders are below the root.
    if parts.count >= 2, !parts[parts.count - 2].elementsEqual(numbers[1]) { return nil }
    if parts.count >= 3, !parts[parts.count - 3].elementsEqual(numbers[0]) { return nil }
    speaker = String(Substring(numbers[0]))
    key = String(Substring(stem))
  }

  static func isNumber(_ text: some Collection<UInt8>) -> Bool {
    (1...9).contains(text.count) && text.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
  }
}
