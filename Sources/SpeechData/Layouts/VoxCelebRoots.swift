import Diagnostics
import Glibc
import TensorFiles

/// The folders of a copy of VoxCeleb in which its speakers' folders lie: `dev/wav`, `test/aac`, `wav`, …
///
/// The root may be the folder of both data sets or one of the inner folders: what is looked into on the way down is
/// named `dev`, `test`, `wav` or the like, or begins with `vox`.
struct VoxCelebRoots {
  /// Below the root, in the order of their bytes; `""` for the root itself.
  let folders: [String]

  private static let deepest = 4
  private static let names: Set<String> = [
    "dev", "test", "train", "wav", "aac", "m4a", "flac", "mp3", "audio",
  ]

  init(_ root: String) {
    var found: [String] = [], level = [""]
    for _ in 0...Self.deepest {
      var next: [String] = []
      for folder in level {
        let names = (try? folderContents(folder.isEmpty ? root : "\(root)/\(folder)")) ?? []
        if names.contains(where: Self.isSpeaker) { found.append(folder) }
        next += names.filter(Self.isOnTheWay).map { folder.isEmpty ? $0 : "\(folder)/\($0)" }
      }
      level = next
    }
    folders = found.sorted(by: bytesPrecede)
  }

  /// Those that are not below another one.
  var outermost: [String] {
    folders.filter { folder in
      !folders.contains { folder != $0 && ($0.isEmpty || folder.hasPrefix($0 + "/")) }
    }
  }

  /// Whether a folder holds no other folders than VoxCeleb's.
  func isAlone(in root: String) -> Bool {
    let names = ((try? folderContents(root)) ?? []).filter { !$0.hasPrefix(".") }
    return names.allSatisfy { name in
      Self.isSpeaker(name) || Self.isOnTheWay(name) || ["musan", "RIRS_NOISES"].contains(name)
        || !FileWriting.isFolder("\(root)/\(name)")
    }
  }

  /// `id` and five digits.
  static func isSpeaker(_ name: some StringProtocol) -> Bool {
    name.utf8.count == 7 && name.utf8.starts(with: "id".utf8)
      && name.utf8.dropFirst(2).allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
  }

  private static func isOnTheWay(_ name: String) -> Bool {
    let name = name.lowercased()
    return names.contains(name) || name.hasPrefix("vox")
  }

  /// The speaker of a path below the root, and the path from the speaker's folder on; nil and all of it without one.
  func speakerAndKey(_ path: String) -> (speaker: String?, key: String) {
    let parts = path.split(separator: "/")
    guard let position = parts.dropLast().firstIndex(where: { Self.isSpeaker($0) }) else {
      return (nil, path)
    }
    return (String(parts[position]), String(path[parts[position].startIndex...]))
  }

  /// What is below a folder `test` is to be tested.
  func part(_ path: String) -> Recording.Part? {
    for name in path.split(separator: "/") {
      if Self.isSpeaker(name) { return nil }
      let name = name.lowercased()
      if name == "test" || name.hasPrefix("vox") && name.contains("test") { return .test }
      if name == "dev" || name == "train" || name.hasPrefix("vox") && name.contains("dev") { return .train }
    }
    return nil
  }
}
