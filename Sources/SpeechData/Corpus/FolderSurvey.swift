import Diagnostics
import Glibc
import TensorFiles

/// What is in a folder that was given as data and holds none, and what would be right instead.
struct FolderSurvey {
  private let directory: String
  /// The entries up to three levels down, those of a level before those below.
  private var entries: [(path: String, isFolder: Bool)] = []

  /// A look, not a search: enough of a corpus to know its kind.
  private static let mostEntries = 2000
  private static let deepest = 3

  /// Why `directory` is not read.
  static func failure(_ directory: String) -> Failure {
    guard access(directory, F_OK) == 0 else { return Failure(.missingInput, "\(directory): no such folder") }
    guard FileWriting.isFolder(directory) else {
      return Failure(
        .missingInput,
        "\(directory) is not a folder: give the folder of the data, unpacked where it is an archive")
    }
    let survey = FolderSurvey(directory)
    let features = "metadata.json (the homework's data) nor \(PackManifest.fileName) (a packed corpus)"
    if let sound = survey.sound {
      return Failure(
        .missingInput, "\(directory) holds neither \(features), but \(sound): 'pack' makes features of it")
    }
    let everything = "\(features) nor sound, in speakers' folders or listed"
    guard !survey.entries.isEmpty else {
      return Failure(.missingInput, "\(directory) is empty: it holds neither \(everything)")
    }
    return Failure(
      .missingInput, "\(directory) holds neither \(everything)" + (survey.finding.map { ", but \($0)" } ?? "")
    )
  }

  private init(_ directory: String) {
    self.directory = directory
    var level = [""]
    for _ in 0..<Self.deepest {
      var next: [String] = []
      for folder in level {
        let names = (try? folderContents("\(directory)/\(folder)")) ?? []
        for name in names.sorted() where !name.hasPrefix(".") && entries.count < Self.mostEntries {
          let path = folder + name, isFolder = FileWriting.isFolder("\(directory)/\(path)")
          entries.append((path, isFolder))
          if isFolder { next.append(path + "/") }
        }
      }
      level = next
    }
  }

  private var finding: String? {
    if let folder = entries.first(where: { $0.isFolder && holdsData("\(directory)/\($0.path)") }) {
      return "\(directory)/\(folder.path) does: give that"
    }
    if holdsData("\(directory)/..") { return "the folder that it is in does: give that" }
    let top = Set(entries.lazy.map(\.path).filter { !$0.contains("/") })
    if top.contains("config.yaml"), !top.isDisjoint(with: ["checkpoints", "metrics.jsonl", "best"]) {
      return "is the folder of a run: that is given as --run, and --data is the data that it was trained on"
    }
    if top.contains("synthesis.json") {
      return "a corpus that was not finished: start the same synthesize again"
    }
    if top.contains(where: { $0.hasSuffix(".mels") || $0.contains(".mels.partial") }) {
      return "a pack that was not finished: start the same pack again"
    }
    let kaldi = ["feats.scp", "utt2spk", "spk2utt", "segments"].filter(top.contains)
    if !kaldi.isEmpty {
      return
        "is a directory of Kaldi's (\(kaldi.joined(separator: ", "))) without wav.scp, by which its sound would be read"
    }
    if let tensor = first(of: ["pt"]) {
      return
        "tensors (\(tensor)): metadata.json, which says whose they are and how long, has to be beside them"
    }
    if let other = first(of: [
      "npy", "npz", "ark", "h5", "hdf5", "parquet", "arrow", "tar", "zip", "tgz", "gz",
    ]) {
      return "other files (\(other)): \(Self.need)"
    }
    return nil
  }

  private static let need =
    "what is read are sound files, and features in the homework's layout, metadata.json and uttr-*.pt"

  /// What there is of sound that `SoundCorpus` reads, in the folder itself.
  private var sound: String? {
    let top = Set(entries.lazy.map(\.path).filter { !$0.contains("/") })
    let lists = Layout.folderLists.filter { $0.layout != .speechBrain }.flatMap(\.names)
    if let list = lists.first(where: top.contains) { return "a list of sound (\(list))" }
    return SoundTree.anySound(directory).map { "sound (\($0))" }
  }

  private func holdsData(_ folder: String) -> Bool {
    (["metadata.json", PackManifest.fileName] + Layout.folderLists.prefix(5).flatMap(\.names)).contains {
      access("\(folder)/\($0)", F_OK) == 0
    }
  }

  /// The first file with one of these suffixes.
  private func first(of suffixes: Set<String>) -> String? {
    entries.first { entry in
      guard !entry.isFolder, let dot = entry.path.lastIndex(of: ".") else { return false }
      return suffixes.contains(entry.path[entry.path.index(after: dot)...].lowercased())
    }?.path
  }
}
