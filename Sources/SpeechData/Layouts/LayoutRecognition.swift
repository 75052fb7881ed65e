import Diagnostics
import Glibc
import TensorFiles

extension Layout {
  /// What a folder or a list holds: features in the homework's layout or packed, or sound.
  ///
  /// Lists tell more than folders, and folders named as a known corpus names them more than others, which are
  /// `speakerFolders` if there is any sound in them.
  ///
  /// - Throws: `.usage` where two layouts fit, `.missingInput` where nothing is there or none fits, saying what was
  ///   looked for, `.badData` for what is neither a folder nor a list.
  public static func recognised(at path: String) throws(Failure) -> Layout {
    guard FileWriting.isFolder(path) else { return try ListKind.recognised(at: path) }
    let names = Set((try? folderContents(path)) ?? [])
    let isHomework = names.contains("metadata.json"), isPacked = names.contains(PackManifest.fileName)
    var found: [(layout: Layout, because: String)] = []
    // The two names are common ones: what goes with them has to be there, or nothing else.
    if isHomework, names.contains(where: { $0.hasSuffix(".pt") }) {
      found.append((.homework, "metadata.json"))
    }
    if isPacked, names.contains(where: { $0.hasSuffix(".mels") }) {
      found.append((.packed, PackManifest.fileName))
    }
    for (layout, lists) in folderLists {
      if let name = lists.first(where: { names.contains($0) && isList($0, of: layout, in: path) }) {
        found.append((layout, name))
      }
    }
    if found.isEmpty { found = trees(path) }
    if found.isEmpty, isHomework { found = [(.homework, "metadata.json")] }
    if found.isEmpty, isPacked { found = [(.packed, PackManifest.fileName)] }
    guard found.count < 2 else {
      let fitting = found.map { "\($0.layout.rawValue) (\($0.because))" }
      throw Failure(
        .usage,
        "\(path) can be read as \(listed(fitting, "and")): --layout says as which, as in --layout"
          + " \(found[0].layout.rawValue)")
    }
    if let only = found.first { return only.layout }
    guard SoundTree.anySound(path) != nil else { throw FolderSurvey.failure(path) }
    return .speakerFolders
  }

  /// The lists by which a folder is known, the first of a layout before its others.
  static let folderLists: [(layout: Layout, names: [String])] = [
    (.kaldi, ["wav.scp"]), (.trainList, ["train_list.txt"]), (.idenSplit, ["iden_split.txt"]),
    (.rawList, ["raw.list"]), (.shardList, ["shard.list"]),
    (.speechBrain, ["train.csv", "dev.csv", "valid.csv", "test.csv"]),
  ]

  /// The list of this layout that a folder holds; a path that is none is the list's own.
  func list(_ path: String) -> String {
    guard FileWriting.isFolder(path), let names = Self.folderLists.first(where: { $0.layout == self })?.names
    else {
      return path
    }
    return "\(path)/\(names[0])"
  }

  /// A CSV can be anybody's.
  private static func isList(_ name: String, of layout: Layout, in folder: String) -> Bool {
    layout != .speechBrain || (try? ListKind.recognised(at: "\(folder)/\(name)")) == .speechBrain
  }

  private static func trees(_ path: String) -> [(layout: Layout, because: String)] {
    var found: [(layout: Layout, because: String)] = []
    let roots = VoxCelebRoots(path)
    // Speakers of other names beside VoxCeleb's are speakers as well.
    if let folder = roots.folders.first, !folder.isEmpty || roots.isAlone(in: path) {
      found.append((.voxCeleb, folder.isEmpty ? "id…" : folder + "/id…"))
    }
    if let file = LibriSpeechName.first(below: path) { found.append((.libriSpeech, file)) }
    return found
  }
}

extension LibriSpeechName {
  /// A file named as LibriSpeech names it, in a folder of a chapter in one of a speaker.
  fileprivate static func first(below root: String) -> String? {
    let folders = ((try? folderContents(root)) ?? []).sorted(by: bytesPrecede)
    let subsets = folders.filter { $0.contains("-") || $0.hasPrefix("LibriSpeech") }
    let inner = subsets.flatMap { subset in
      ((try? folderContents("\(root)/\(subset)")) ?? []).filter { $0.contains("-") }.map { "\(subset)/\($0)" }
    }
    for folder in [""] + subsets.map({ $0 + "/" }) + inner.sorted(by: bytesPrecede).map({ $0 + "/" }) {
      let names = folder.isEmpty ? folders : (try? folderContents("\(root)/\(folder)")) ?? []
      guard let speaker = names.filter({ isNumber($0.utf8) }).min(by: bytesPrecede) else { continue }
      let chapters = (try? folderContents("\(root)/\(folder)\(speaker)")) ?? []
      guard let chapter = chapters.filter({ isNumber($0.utf8) }).min(by: bytesPrecede) else { continue }
      let files = (try? folderContents("\(root)/\(folder)\(speaker)/\(chapter)")) ?? []
      let isNamedSo = { (name: String) in
        SoundSuffix(name) != nil && LibriSpeechName("\(speaker)/\(chapter)/\(name)") != nil
      }
      if let file = files.filter(isNamedSo).min(by: bytesPrecede) {
        return "\(folder)\(speaker)/\(chapter)/\(file)"
      }
    }
    return nil
  }
}
