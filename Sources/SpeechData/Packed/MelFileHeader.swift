import Audio
import Diagnostics

/// The first 128 bytes of a `.mels` file; `docs/formats.md` is the reference.
///
///     offset  type   field
///          0  8 B    magic "SPKMELS\0"
///          8  u32    version: 1 where frames have 40 bands and there is no recipe, else 2
///         12  u32    mel bands
///         16  u64    fingerprint of the source's index
///         24  u32    number of this file
///         28  u32    files in all
///         32  u64    utterances in this file
///         40  u64    bytes of the names
///         48  u64    offset of the payload
///         56  u64    bytes of the file
///         64  u32    bytes of the recipe; 0 in version 1
///         68  56 B   zero
///        124  u32    CRC-32 of bytes 0 ..< 124, the index, the names and the recipe
///
/// Behind it: the index, one `MelFileEntry` an utterance; the names, UTF-8 without separators; the recipe, JSON; zeros
/// up to a multiple of 64; the payload. All numbers are little-endian.
struct MelFileHeader: Equatable {
  static let byteCount = 128
  static let magic: [UInt8] = Array("SPKMELS\0".utf8)
  /// The newest version.
  static let version = 2
  /// The bytes that the checksum at their end covers.
  static let checkedByteCount = 124
  /// What the payload, and each utterance in it, is aligned to.
  static let alignment = 64

  /// Mel bands of a frame.
  var bands: Int
  var fingerprint: UInt64
  var file: Int
  var files: Int
  var utterances: Int
  var nameBytes: Int
  /// 0 without a recipe.
  var recipeBytes: Int
  var fileBytes: Int

  /// What the homework gives is written as it always was.
  var version: Int { Self.version(bands: bands, hasRecipe: recipeBytes > 0) }
  static func version(bands: Int, hasRecipe: Bool) -> Int {
    bands == Corpus.homeworkBands && !hasRecipe ? 1 : 2
  }

  /// Bytes of a frame.
  var frameBytes: Int { bands * MemoryLayout<Float>.stride }
  /// Where the names begin.
  var nameOffset: Int { Self.byteCount + utterances * MelFileEntry.byteCount }
  /// Where the recipe begins.
  var recipeOffset: Int { nameOffset + nameBytes }
  /// Bytes of header, index, names and recipe.
  var frontBytes: Int { recipeOffset + recipeBytes }
  /// Where the payload begins.
  var payloadOffset: Int { Self.aligned(frontBytes) }

  static func aligned(_ offset: Int) -> Int { (offset + alignment - 1) / alignment * alignment }

  /// Writes all but the checksum.
  func encode(into bytes: UnsafeMutableRawBufferPointer) {
    for i in 0..<Self.byteCount { bytes[i] = 0 }
    bytes.copyBytes(from: Self.magic)
    bytes.store(UInt32(version), at: 8)
    bytes.store(UInt32(bands), at: 12)
    bytes.store(fingerprint, at: 16)
    bytes.store(UInt32(file), at: 24)
    bytes.store(UInt32(files), at: 28)
    bytes.store(UInt64(utterances), at: 32)
    bytes.store(UInt64(nameBytes), at: 40)
    bytes.store(UInt64(payloadOffset), at: 48)
    bytes.store(UInt64(fileBytes), at: 56)
    bytes.store(UInt32(recipeBytes), at: 64)
  }

  /// Reads and checks the fields of a file of `fileBytes` bytes; the checksum is left to the caller.
  ///
  /// What is accepted has a front (header, index, names, recipe) that lies within the file.
  init(decoding bytes: UnsafeRawBufferPointer, fileBytes: Int, path: String) throws {
    guard bytes.count >= Self.byteCount, bytes[..<8].elementsEqual(Self.magic) else {
      throw Failure(.badData, "\(path) is not a packed shard: it does not begin with SPKMELS")
    }
    let version: UInt32 = bytes.load(at: 8)
    guard (1...UInt32(Self.version)).contains(version) else {
      throw Failure(
        .badData,
        "\(path) has format version \(version), this program reads versions 1 to \(Self.version): pack again")
    }
    let bands: UInt32 = bytes.load(at: 12)
    let mostBands = version == 1 ? Corpus.homeworkBands : FeatureSettings.mostBands
    guard (1...UInt32(mostBands)).contains(bands) else {
      throw Failure(.badData, "\(path) has \(bands) mel bands, where 1 to \(mostBands) were expected")
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
    let recipeBytes: UInt32 = bytes.load(at: 64)
    // Bounded by the file's size before they are multiplied, so nothing below can overflow.
    guard utterances <= UInt64(fileBytes / MelFileEntry.byteCount), nameBytes <= UInt64(fileBytes),
      Int(recipeBytes) <= fileBytes
    else {
      throw Failure(.badData, "\(path): the header's counts do not fit into the file")
    }
    self.utterances = Int(utterances)
    self.nameBytes = Int(nameBytes)
    self.recipeBytes = Int(recipeBytes)
    self.bands = Int(bands)
    self.fileBytes = fileBytes
    guard payloadOffset == UInt64(self.payloadOffset), self.payloadOffset <= fileBytes, file < files,
      self.version == version
    else {
      throw Failure(.badData, "\(path): the header contradicts itself")
    }
  }

  init(
    bands: Int, fingerprint: UInt64, file: Int, files: Int, utterances: Int, nameBytes: Int, recipeBytes: Int,
    fileBytes: Int
  ) {
    self.bands = bands
    self.fingerprint = fingerprint
    self.file = file
    self.files = files
    self.utterances = utterances
    self.nameBytes = nameBytes
    self.recipeBytes = recipeBytes
    self.fileBytes = fileBytes
  }
}

/// One utterance in the index of a `.mels` file.
///
///     offset  type  field
///          0  u32   its index in the dataset (or in testdata.json)
///          4  i32   label, -1 where it is not told
///          8  u32   frames
///         12  u32   CRC-32 of its rows
///         16  u64   offset of its rows in the file, a multiple of 64
///         24  u32   offset of its feature_path (or the recording's key) in the names
///         28  u32   bytes of that
struct MelFileEntry: Equatable {
  static let byteCount = 32

  var index: Int
  var label: Int
  var frames: Int
  var checksum: UInt32
  var offset: Int
  var nameOffset: Int
  var nameBytes: Int

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
