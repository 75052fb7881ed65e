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

/// The first 128 bytes of a `.mels` file; `docs/formats.md` is the reference.
///
///     offset  type   field
///          0  8 B    magic "SPKMELS\0"
///          8  u32    version
///         12  u32    mel bins
///         16  u64    fingerprint of the source's index
///         24  u32    number of this file
///         28  u32    files in all
///         32  u64    utterances in this file
///         40  u64    bytes of the names
///         48  u64    offset of the payload
///         56  u64    bytes of the file
///         64  60 B   zero
///        124  u32    CRC-32 of bytes 0 ..< 124, the index and the names
///
/// Behind it: the index, one `MelFileEntry` an utterance; the names, UTF-8 without separators; zeros up to a
/// multiple of 64; the payload. All numbers are little-endian.
struct MelFileHeader: Equatable {
  static let byteCount = 128
  static let magic: [UInt8] = Array("SPKMELS\0".utf8)
  static let version: UInt32 = 1
  /// The bytes that the checksum at their end covers.
  static let checkedByteCount = 124
  /// What the payload, and each utterance in it, is aligned to.
  static let alignment = 64

  var fingerprint: UInt64
  var file: Int
  var files: Int
  var utterances: Int
  var nameBytes: Int
  var fileBytes: Int

  /// Where the names begin.
  var nameOffset: Int { Self.byteCount + utterances * MelFileEntry.byteCount }
  /// Bytes of header, index and names.
  var frontBytes: Int { nameOffset + nameBytes }
  /// Where the payload begins.
  var payloadOffset: Int { Self.aligned(frontBytes) }

  static func aligned(_ offset: Int) -> Int { (offset + alignment - 1) / alignment * alignment }

  /// Writes all but the checksum.
  func encode(into bytes: UnsafeMutableRawBufferPointer) {
    for i in 0..<Self.byteCount { bytes[i] = 0 }
    bytes.copyBytes(from: Self.magic)
    bytes.store(Self.version, at: 8)
    bytes.store(UInt32(Corpus.bins), at: 12)
    bytes.store(fingerprint, at: 16)
    bytes.store(UInt32(file), at: 24)
    bytes.store(UInt32(files), at: 28)
    bytes.store(UInt64(utterances), at: 32)
    bytes.store(UInt64(nameBytes), at: 40)
    bytes.store(UInt64(payloadOffset), at: 48)
    bytes.store(UInt64(fileBytes), at: 56)
  }

  /// Reads and checks the fields of a file of `fileBytes` bytes; the checksum is left to the caller.
  ///
  /// What is accepted has a front (header, index, names) that lies within the file.
  init(decoding bytes: UnsafeRawBufferPointer, fileBytes: Int, path: String) throws {
    guard bytes.count >= Self.byteCount, bytes[..<8].elementsEqual(Self.magic) else {
      throw Failure(.badData, "\(path) is not a packed shard: it does not begin with SPKMELS")
    }
    let version: UInt32 = bytes.load(at: 8)
    guard version == Self.version else {
      throw Failure(
        .badData,
        "\(path) has format version \(version), this program reads version \(Self.version): pack again")
    }
    let bins: UInt32 = bytes.load(at: 12)
    guard bins == Corpus.bins else {
      throw Failure(.badData, "\(path) has \(bins) mel bins, where \(Corpus.bins) were expected")
    }
    let recordedBytes: UInt64 = bytes.load(at: 56)
    guard recordedBytes == UInt64(fileBytes) else {
      throw Failure(.badData, "\(path) has \(fileBytes) bytes, but its header says \(recordedBytes)")
    }
    fingerprint = bytes.load(at: 16)
    file = Int(bytes.load(at: 24) as UInt32)
    files = Int(bytes.load(at: 28) as UInt32)
    let utterances: UInt64 = bytes.load(at: 32)
    let nameBytes: UInt64 = bytes.load(at: 40)
    let payloadOffset: UInt64 = bytes.load(at: 48)
    // Bounded by the file's size before they are multiplied, so nothing below can overflow.
    guard utterances <= UInt64(fileBytes / MelFileEntry.byteCount), nameBytes <= UInt64(fileBytes) else {
      throw Failure(.badData, "\(path): the header's counts do not fit into the file")
    }
    self.utterances = Int(utterances)
    self.nameBytes = Int(nameBytes)
    self.fileBytes = fileBytes
    guard payloadOffset == UInt64(self.payloadOffset), self.payloadOffset <= fileBytes, file < files else {
      throw Failure(.badData, "\(path): the header contradicts itself")
    }
  }

  init(fingerprint: UInt64, file: Int, files: Int, utterances: Int, nameBytes: Int, fileBytes: Int) {
    self.fingerprint = fingerprint
    self.file = file
    self.files = files
    self.utterances = utterances
    self.nameBytes = nameBytes
    self.fileBytes = fileBytes
  }
}

/// One utterance in the index of a `.mels` file.
///
///     offset  type  field
///          0  u32   its index in the dataset (or in testdata.json)
///          4  i32   label, -1 in a test file
///          8  u32   frames
///         12  u32   CRC-32 of its rows
///         16  u64   offset of its rows in the file, a multiple of 64
///         24  u32   offset of its feature_path in the names
///         28  u32   bytes of its feature_path
struct MelFileEntry: Equatable {
  static let byteCount = 32

  var index: Int
  var label: Int
  var frames: Int
  var checksum: UInt32
  var offset: Int
  var nameOffset: Int
  var nameBytes: Int

  /// Bytes of its rows, [frames, 40] floats.
  var rowBytes: Int { frames * Corpus.bytesPerFrame }

  func encode(into bytes: UnsafeMutableRawBufferPointer, at position: Int) {
    bytes.store(UInt32(index), at: position)
    bytes.store(Int32(label), at: position + 4)
    bytes.store(UInt32(frames), at: position + 8)
    bytes.store(checksum, at: position + 12)
    bytes.store(UInt64(offset), at: position + 16)
    bytes.store(UInt32(nameOffset), at: position + 24)
    bytes.store(UInt32(nameBytes), at: position + 28)
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Stores an integer little-endian.
  func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }
}

extension UnsafeRawBufferPointer {
  /// Loads a little-endian integer.
  func load<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> T {
    T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
  }
}
