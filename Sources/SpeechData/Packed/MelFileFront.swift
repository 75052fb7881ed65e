import Diagnostics
import TensorFiles

/// Header, index and names of a `.mels` file: everything but the frames.
struct MelFileFront {
  var header: MelFileHeader
  var entries: [MelFileEntry]
  /// `feature_path` by entry.
  let paths: [String]

  /// The front of a file that is to hold `members`; the row checksums are still 0.
  ///
  /// - Parameter members: (index in the dataset, utterance) in the order of the file.
  init(
    members: some Sequence<(index: Int, utterance: Utterance)>, fingerprint: UInt64, file: Int, files: Int
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
    header = MelFileHeader(
      fingerprint: fingerprint, file: file, files: files, utterances: entries.count, nameBytes: nameBytes,
      fileBytes: 0)
    header.fileBytes = header.payloadOffset
    for i in entries.indices {
      entries[i].offset = MelFileHeader.aligned(header.fileBytes)
      header.fileBytes = entries[i].offset + entries[i].rowBytes
    }
  }

  /// Reads and checks the front of a file.
  ///
  /// What is accepted is consistent: the checksum fits, rows and names lie where `init(members:…)` puts them
  /// and fill the file exactly, paths stay inside a directory.
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
      guard nameEnd <= bytes.count, frames > 0, frames <= Int32.max,
        let name = String(validating: bytes[nameStart..<nameEnd], as: UTF8.self), name.staysInsideDirectory
      else { throw Failure(.badData, "\(path) is damaged: entry \(position) of its index is not valid") }
      members.append(
        (
          Int(entry.load(at: 0) as UInt32),
          Utterance(path: name, frames: Int(frames), label: Int(entry.load(at: 4) as Int32))
        ))
      checksums.append(entry.load(at: 12))
    }
    self.init(members: members, fingerprint: header.fingerprint, file: header.file, files: header.files)
    for i in entries.indices { entries[i].checksum = checksums[i] }
    let stored = bytes[MelFileHeader.byteCount..<header.nameOffset]
    guard self.header == header, encodedIndex().elementsEqual(stored) else {
      throw Failure(
        .badData, "\(path) is damaged: its index does not describe a file of \(header.fileBytes) bytes")
    }
  }

  /// The bytes of header, index and names, with the checksum in place.
  func encoded() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: header.frontBytes) { buffer, count in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      header.encode(into: bytes)
      var position = MelFileHeader.byteCount
      for byte in encodedIndex() {
        bytes[position] = byte
        position += 1
      }
      for byte in paths.lazy.flatMap(\.utf8) {
        bytes[position] = byte
        position += 1
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
