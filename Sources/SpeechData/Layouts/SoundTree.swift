import Diagnostics
import Glibc
import TensorFiles

/// The sound files below a folder, found without opening one.
///
/// The order is that of the bytes of their paths. Names that begin with a dot are passed over, as are files that by
/// their names are no sound. Links are followed; a folder that is met twice is read once, under its own name before
/// that of a link, so a circle of links ends. What is no file (a pipe, a device) is refused unopened.
struct SoundTree {
  /// Paths below the folder.
  private(set) var files: [String] = []
  private(set) var refused: [Refusal] = []

  private let root: String
  /// The folders that were read, by what the system knows them as.
  private var visited: Set<Node> = []
  /// Links to folders that are still to be read.
  private var links: [String] = []

  private struct Node: Hashable {
    let device: UInt
    let number: UInt
  }

  /// No layout is deeper by far.
  private static let deepest = 32

  /// - Parameter folders: those below the root that are read, and all below them; the root itself unless given.
  /// - Throws: `.missingInput` without the folder, `.inputOutput` if it cannot be read. A folder below it that cannot
  ///   be read is refused.
  init(_ root: String, under folders: [String] = [""]) throws(Failure) {
    self.root = root
    guard FileWriting.isFolder(root) else {
      throw Failure(.missingInput, "\(root): no such folder")
    }
    guard access(root, R_OK | X_OK) == 0 else {
      throw Failure.system(errno, root, "reading the folder failed")
    }
    for folder in folders { read(folder) }
    while !links.isEmpty {
      let round = links.sorted(by: bytesPrecede)
      links = []
      for link in round { read(link) }
    }
    files.sort(by: bytesPrecede)
    // What was converted where it lies is there twice.
    if refused.contains(where: { SoundSuffix($0.what)?.isConvertible == true }) {
      let stems = Set(files.lazy.map(withoutSuffix))
      refused.removeAll {
        SoundSuffix($0.what)?.isConvertible == true && stems.contains(withoutSuffix($0.what))
      }
    }
    refused.sort { bytesPrecede($0.what, $1.what) }
  }

  /// Reads a folder and all below it. Not recursive: a tree may be deeper than the stack.
  private mutating func read(_ folder: String) {
    var pending = [folder]
    while let folder = pending.popLast() {
      guard folder.utf8.count(where: { $0 == UInt8(ascii: "/") }) < Self.deepest else {
        refused.append(Refusal(folder, "lies more than \(Self.deepest) folders deep"))
        continue
      }
      let path = folder.isEmpty ? root : "\(root)/\(folder)"
      guard let stream = opendir(path) else {
        refused.append(Refusal(folder, "cannot be read: \(String(cString: strerror(errno)))"))
        continue
      }
      defer { closedir(stream) }
      var status = stat()
      guard fstat(dirfd(stream), &status) == 0,
        visited.insert(Node(device: UInt(status.st_dev), number: UInt(status.st_ino))).inserted
      else {
        refused.append(Refusal(folder, "is a link to a folder that is read already"))
        continue
      }
      while let entry = readdir(stream) {
        if let below = take(entry, of: folder) { pending.append(below) }
      }
    }
  }

  /// - Returns: the path of a folder that is to be read.
  private mutating func take(_ entry: UnsafeMutablePointer<dirent>, of folder: String) -> String? {
    // In place: an entry is shorter than the type says, and what is behind it is not ours to copy.
    let name = UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \.d_name)!
    let bytes = UnsafeRawBufferPointer(start: name, count: strlen(name.assumingMemoryBound(to: CChar.self)))
    guard bytes.first != UInt8(ascii: ".") else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    let isText = String(validating: bytes, as: UTF8.self) != nil
    let path = folder.isEmpty ? text : "\(folder)/\(text)"
    var type = Int(entry.pointee.d_type)
    guard isText else {
      if type == DT_DIR || SoundSuffix(text) != nil {
        refused.append(Refusal(path, "its name is not UTF-8: rename it"))
      }
      return nil
    }
    let isLink = type == DT_LNK
    if isLink || type == DT_UNKNOWN {
      var status = stat()
      guard stat("\(root)/\(path)", &status) == 0 else {
        if SoundSuffix(text) != nil {
          refused.append(Refusal(path, "cannot be reached: \(String(cString: strerror(errno)))"))
        }
        return nil
      }
      type = Int(status.st_mode & S_IFMT) >> 12
    }
    if type == DT_DIR {
      guard isLink else { return path }
      links.append(path)
      return nil
    }
    guard let suffix = SoundSuffix(text) else { return nil }
    if type != DT_REG {
      refused.append(Refusal(path, "is no file, but a pipe, a socket or a device"))
    } else if let objection = suffix.objection {
      refused.append(Refusal(path, objection))
    } else {
      files.append(path)
    }
    return nil
  }
}

extension SoundTree {
  /// A file below a folder that by its name is one of sound, of whatever kind, as far up as there is one: a look, which
  /// gives up on a tree of very much else.
  static func anySound(_ root: String) -> String? {
    var level = [""], looked = 0
    for _ in 0..<8 {
      var next: [String] = []
      for folder in level {
        let names = ((try? folderContents("\(root)/\(folder)")) ?? []).filter { !$0.hasPrefix(".") }
        for name in names.sorted(by: bytesPrecede) {
          if SoundSuffix(name) != nil { return folder + name }
          looked += 1
          guard looked < 100_000 else { return nil }
          if FileWriting.isFolder("\(root)/\(folder)\(name)") { next.append("\(folder)\(name)/") }
        }
      }
      level = next
    }
    return nil
  }
}

/// What the end of a file's name says about the sound in it.
struct SoundSuffix {
  /// Why such a file is not read; nil if it is.
  let objection: String?

  /// Whether a script makes what is read of it.
  let isConvertible: Bool

  static let readable = ["wav", "flac", "ogg", "opus", "mp3"]
  /// AAC, which is read after `scripts/convert-m4a`.
  static let convertible = ["m4a", "aac", "mp4"]
  private static let others = [
    "sph", "aif", "aiff", "aifc", "wma", "au", "amr", "ape", "caf", "gsm", "g722", "m4b", "mka", "oga", "spx",
    "webm",
    "wv", "3gp",
  ]

  /// nil for a name that is not one of a sound file.
  init?(_ name: String) {
    guard let dot = name.utf8.lastIndex(of: UInt8(ascii: ".")), dot != name.startIndex else { return nil }
    let suffix = name[name.utf8.index(after: dot)...].lowercased()
    isConvertible = Self.convertible.contains(suffix)
    if Self.readable.contains(suffix) {
      objection = nil
    } else if isConvertible {
      objection = "is .\(suffix), which is not read: scripts/convert-m4a makes WAV of it"
    } else if Self.others.contains(suffix) {
      objection = "is .\(suffix), which is not read: make WAV or FLAC of it"
    } else {
      return nil
    }
  }
}

/// Whether the bytes of one string come before those of another, as `LC_ALL=C sort` has them.
func bytesPrecede(_ left: String, _ right: String) -> Bool {
  left.utf8.withContiguousStorageIfAvailable { left in
    right.utf8.withContiguousStorageIfAvailable { right in
      let order = memcmp(
        left.baseAddress ?? UnsafePointer(bitPattern: 1)!, right.baseAddress ?? UnsafePointer(bitPattern: 1)!,
        min(left.count, right.count))
      return order == 0 ? left.count < right.count : order < 0
    }
  }.flatMap(\.self) ?? left.utf8.lexicographicallyPrecedes(right.utf8)
}
