import Audio
import Diagnostics
import TensorFiles

/// Header, index, names and recipe of a `.mels` file: everything but the frames.
struct MelFileFront {
  var header: MelFileHeader
  var entries: [MelFileEntry]
  /// `feature_path`, or the recording's key, by entry.
  let paths: [String]
  /// What the features were made of sound with; nil where nobody noted it.
  let recipe: FeatureRecipe?

  /// The front of a file that is to hold `members`; the row checksums are still 0.
  ///
  /// - Parameters:
  ///   - members: (index in the dataset, utterance) in the order of the file.
  ///   - bands: mel bands of a frame.
  init(
    members: some Sequence<(index: Int, utterance: Utterance)>, bands: Int, recipe: FeatureRecipe?,
    fingerprint: UInt64, file: Int, files: Int
  ) {
    entries = []
    var names: [String] = []
    var nameBytes = 0
    for (index, utterance) in members {
      entries.append(
        MelFileEntry(
          index: index, label: utterance.label, frames: utterance.frames, checksum: 0, offset: 0,
          nameOffset: nameBytes, nameBytes: utterance.path.utf8.count))
      names.append(utterance.path)
      nameBytes += utterance.path.utf8.count
    }
    paths = names
    self.recipe = recipe
    header = MelFileHeader(
      bands: bands, fingerprint: fingerprint, file: file, files: files, utterances: entries.count,
      nameBytes: nameBytes, recipeBytes: recipe?.text.utf8.count ?? 0, fileBytes: 0)
    header.fileBytes = header.payloadOffset
    for i in entries.indices {
      entries[i].offset = MelFileHeader.aligned(header.fileBytes)
      header.fileBytes = entries[i].offset + rowBytes(i)
    }
  }

  /// Bytes of an entry's rows, [frames, bands] floats.
  func rowBytes(_ entry: Int) -> Int { entries[entry].frames * header.frameBytes }

  /// Reads and checks the front of a file.
  ///
  /// What is accepted is consistent: the checksum fits, rows and names lie where `init(members:…)` puts them
  /// and fill the file exactly, paths stay inside a directory, the recipe is one and of as many bands.
  init(reading path: String) throws {
    let file = try InputFile(path: path)
    let head = try file.read(at: 0, count: min(file.byteCount, MelFileHeader.byteCount))
    let header = try head.withUnsafeBytes {
      try MelFileHeader(decoding: $0, fileBytes: file.byteCount, path: path)
    }
    let front = try file.read(at: 0, count: header.frontBytes)
    self = try front.withUnsafeBytes { try Self(decoding: $0, header, path: path) }
  }

  private init(decoding bytes: UnsafeRawBufferPointer, _ header: MelFileHeader, path: String) throws {
    guard bytes.load(at: MelFileHeader.checkedByteCount) == Self.checksum(ofFront: bytes) else {
      throw Failure(.badData, "\(path) is damaged: the checksum of its header and index does not fit")
    }
    var members: [(index: Int, utterance: Utterance)] = []
    members.reserveCapacity(header.utterances)
    var checksums: [UInt32] = []
    for position in 0..<header.utterances {
      let entry = UnsafeRawBufferPointer(
        rebasing: bytes[(MelFileHeader.byteCount + position * MelFileEntry.byteCount)...].prefix(
          MelFileEntry.byteCount))
      let nameStart = header.nameOffset + Int(entry.load(at: 24) as UInt32)
      let nameEnd = nameStart + Int(entry.load(at: 28) as UInt32)
      let frames: UInt32 = entry.load(at: 8)
      guard nameEnd <= header.recipeOffset, frames > 0, frames <= Int32.max,
        let name = String(validating: bytes[nameStart..<nameEnd], as: UTF8.self),
        header.version == 1 ? name.staysInsideDirectory : name.isKey
      else { throw Failure(.badData, "\(path) is damaged: entry \(position) of its index is not valid") }
      members.append(
        (
          Int(entry.load(at: 0) as UInt32),
          Utterance(path: name, frames: Int(frames), label: Int(entry.load(at: 4) as Int32))
        ))
      checksums.append(entry.load(at: 12))
    }
    self.init(
      members: members, bands: header.bands, recipe: try Self.recipe(in: bytes, header, path: path),
      fingerprint: header.fingerprint, file: header.file, files: header.files)
    for i in entries.indices { entries[i].checksum = checksums[i] }
    let stored = bytes[MelFileHeader.byteCount..<header.nameOffset]
    guard self.header == header, encodedIndex().elementsEqual(stored) else {
      throw Failure(
        .badData, "\(path) is damaged: its index does not describe a file of \(header.fileBytes) bytes")
    }
  }

  private static func recipe(
    in bytes: UnsafeRawBufferPointer, _ header: MelFileHeader, path: String
  ) throws -> FeatureRecipe? {
    guard header.recipeBytes > 0 else { return nil }
    let stored = bytes[header.recipeOffset...].prefix(header.recipeBytes)
    guard let text = String(validating: stored, as: UTF8.self),
      let recipe = try? FeatureRecipe(text: text, from: path), recipe.text.utf8.elementsEqual(stored),
      recipe.isOf(bands: header.bands)
    else {
      throw Failure(.badData, "\(path) is damaged: what its header says of its features is not valid")
    }
    return recipe
  }

  /// The bytes of header, index, names and recipe, with the checksum in place.
  func encoded() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: header.frontBytes) { buffer, count in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      header.encode(into: bytes)
      var position = MelFileHeader.byteCount
      for byte in encodedIndex() {
        bytes[position] = byte
        position += 1
      }
      for text in paths + [recipe?.text ?? ""] {
        for byte in text.utf8 {
          bytes[position] = byte
          position += 1
        }
      }
      let checksum = Self.checksum(ofFront: UnsafeRawBufferPointer(bytes))
      bytes.store(checksum, at: MelFileHeader.checkedByteCount)
      count = header.frontBytes
    }
  }

  /// The checksum at the end of the header: CRC-32 of all of the front but itself.
  private static func checksum(ofFront bytes: UnsafeRawBufferPointer) -> UInt32 {
    let head = UnsafeRawBufferPointer(rebasing: bytes[..<MelFileHeader.checkedByteCount])
    let tail = UnsafeRawBufferPointer(rebasing: bytes[MelFileHeader.byteCount...])
    return CRC32.checksum(tail, continuing: CRC32.checksum(head))
  }

  /// What the manifest records of this file, and the header carries: it covers the row checksums too.
  var checksum: UInt32 {
    encoded().withUnsafeBytes { $0.load(at: MelFileHeader.checkedByteCount) }
  }

  private func encodedIndex() -> [UInt8] {
    let byteCount = entries.count * MelFileEntry.byteCount
    return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      for (i, entry) in entries.enumerated() { entry.encode(into: bytes, at: i * MelFileEntry.byteCount) }
      count = byteCount
    }
  }
}

extension MelFileFront {
  /// Whether both are the same file of the same corpus, whatever the rows hold.
  func describesSameRows(as other: MelFileFront) -> Bool {
    func withoutChecksums(_ entries: [MelFileEntry]) -> [MelFileEntry] {
      entries.map { entry in
        var entry = entry
        entry.checksum = 0
        return entry
      }
    }
    return header == other.header && paths == other.paths
      && withoutChecksums(entries) == withoutChecksums(other.entries)
  }
}

extension FeatureRecipe {
  /// Whether it says that frames have so many bands.
  func isOf(bands: Int) -> Bool { members.contains { $0.key == "bands" && $0.value == String(bands) } }
}

extension String {
  /// Whether it can be what a recording is called: not empty, and one line.
  var isKey: Bool { !isEmpty && !utf8.contains { [0, UInt8(ascii: "\n"), UInt8(ascii: "\r")].contains($0) } }
}
