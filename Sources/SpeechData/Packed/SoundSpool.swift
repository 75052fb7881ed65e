import Audio
import Diagnostics
import Glibc
import Synchronization
import TensorFiles

/// The features of a corpus of sound between its decoding and its packing: how long recordings are, and which can be
/// decoded at all, is known when all have been, and where the shards' rows lie only then.
///
/// The recordings are cut into pieces whose number depends on nothing but theirs, so that any number of processes can
/// share them out. A piece is a file of rows and, written last, one that lists them; one that is there and was made of
/// the same sound with the same recipe is kept, so a pack that was killed goes on where it was.
struct SoundSpool: Sendable {
  /// One recording of a piece.
  enum Entry: Equatable, Sendable {
    /// Its rows, [frames, bands] float32, one entry's behind another's.
    case rows(frames: Int, checksum: UInt32, seconds: Double, fileRate: Int)
    /// Why it is left out.
    case refused(String)
  }

  let corpus: SoundCorpus
  let extractor: FeatureExtractor
  /// Where the pieces lie.
  let directory: String
  /// Recordings of a piece.
  private let pieceLength: Int

  /// The name of the spool in the folder that is packed into; hidden, and gone when the pack is whole.
  static let folderName = ".spool"

  init(_ corpus: SoundCorpus, _ extractor: FeatureExtractor, output: String) {
    self.corpus = corpus
    self.extractor = extractor
    directory = "\(output)/\(Self.folderName)"
    // Enough pieces for many processes, not too many files for a folder.
    pieceLength = min(256, max(4, corpus.recordings.count / 1024))
  }

  /// The number of pieces.
  var pieces: Int { (corpus.recordings.count + pieceLength - 1) / pieceLength }

  /// The recordings of a piece.
  func recordings(_ piece: Int) -> Range<Int> {
    piece * pieceLength..<min((piece + 1) * pieceLength, corpus.recordings.count)
  }

  /// Where a piece's rows lie.
  func rowsPath(_ piece: Int) -> String { "\(directory)/\(piece).rows" }

  private func listPath(_ piece: Int) -> String { "\(directory)/\(piece).json" }

  /// 64 bits of what a piece is made of: the recipe, the limits, and the files by name, size and time.
  func key(_ piece: Int) -> UInt64 {
    var fingerprint = Fingerprint()
    fingerprint.combine(extractor.recipe.text)
    let audio = extractor.audio
    fingerprint.combine(audio.truncated.rawValue)
    fingerprint.combine(Int(bitPattern: UInt(audio.minSeconds.bitPattern)))
    fingerprint.combine(Int(bitPattern: UInt((audio.maxSeconds ?? -1).bitPattern)))
    for recording in corpus.recordings[recordings(piece)] {
      fingerprint.combine(recording.key)
      fingerprint.combine(recording.location.path)
      if case .member(_, let offset, let bytes) = recording.location {
        fingerprint.combine(offset)
        fingerprint.combine(bytes)
      }
      for segment in recording.segments {
        fingerprint.combine(Int(bitPattern: UInt(segment.start.bitPattern)))
        fingerprint.combine(Int(bitPattern: UInt(segment.end.bitPattern)))
      }
      fingerprint.combine(recording.channel ?? -1)
      var status = stat()
      guard stat(recording.location.path, &status) == 0 else { continue }
      fingerprint.combine(Int(status.st_size))
      fingerprint.combine(status.st_mtim.tv_sec)
      fingerprint.combine(status.st_mtim.tv_nsec)
    }
    return fingerprint.value
  }

  /// Decodes the recordings of a piece, unless that was done.
  ///
  /// - Parameter heard: called after each recording with its seconds of sound, 0 for one that was there or is refused.
  /// - Throws: `.inputOutput` when the spool cannot be written.
  func make(_ piece: Int, heard: (Double) -> Void) throws {
    let key = key(piece)
    if let entries = try entries(piece, key) { return entries.forEach { _ in heard(0) } }
    unlink(listPath(piece))
    let path = rowsPath(piece)
    let file = try FileDescriptor(opening: path, O_WRONLY | O_CREAT | O_TRUNC)
    var end = 0
    let entries = try corpus.recordings[recordings(piece)].map { recording in
      let entry = try extract(recording, to: file, at: end)
      if case .rows(let frames, _, let seconds, _) = entry {
        end += frames * extractor.bands * MemoryLayout<Float>.stride
        heard(seconds)
      } else {
        heard(0)
      }
      return entry
    }
    let list: JSON = [
      "key": .string(String(key, radix: 16)), "entries": .array(entries.map(\.json)),
    ]
    // Renamed when it is whole, and not waited for on its way to the disk: rows are held against their checksums when they
    // are packed, and a piece that a crash of the machine has cost is decoded again.
    let temporary = listPath(piece) + ".partial"
    let listFile = try FileDescriptor(opening: temporary, O_WRONLY | O_CREAT | O_TRUNC)
    try Array(list.serialized().utf8).withUnsafeBytes { try listFile.write($0, at: 0) }
    guard rename(temporary, listPath(piece)) == 0 else {
      throw Failure.system(errno, listPath(piece), "writing failed")
    }
  }

  private func extract(_ recording: Recording, to file: borrowing FileDescriptor, at start: Int) throws
    -> Entry
  {
    guard recording.key.staysInsideDirectory else {
      return .refused(
        "has the key \(recording.key.quoted), where a path without .. and / at its beginning is expected")
    }
    var checksum: UInt32 = 0
    var position = start
    var writeFailure: Failure?
    do throws(Failure) {
      let summary = try extractor.extract(recording.source) { (frames) throws(Failure) in
        frames.withUnsafeBytes { checksum = CRC32.checksum($0, continuing: checksum) }
        do {
          try frames.withUnsafeBytes { try file.write($0, at: position) }
        } catch {
          let failure = Failure(describing: error)
          writeFailure = failure
          throw failure
        }
        position += frames.count * MemoryLayout<Float>.stride
      }
      return .rows(
        frames: summary.frames, checksum: checksum, seconds: summary.seconds, fileRate: summary.fileRate)
    } catch {
      if let writeFailure { throw writeFailure }
      guard [.badData, .missingInput, .inputOutput].contains(error.kind) else { throw error }
      let path = "\(recording.location.path): "
      return .refused(
        error.message.hasPrefix(path) ? String(error.message.dropFirst(path.count)) : error.message)
    }
  }

  /// What a piece holds; nil if it is not there, damaged, or made of something else than `key` says.
  func entries(_ piece: Int, _ key: UInt64? = nil) throws -> [Entry]? {
    let path = listPath(piece)
    guard access(path, F_OK) == 0, let list = try? JSON.read(path: path) else { return nil }
    if let key, list["key"]?.string != String(key, radix: 16) { return nil }
    guard let items = list["entries"]?.array, items.count == recordings(piece).count else { return nil }
    let entries = items.compactMap(Entry.init)
    guard entries.count == items.count else { return nil }
    let bytes = entries.reduce(0) { sum, entry in
      guard case .rows(let frames, _, _, _) = entry else { return sum }
      return sum + frames * extractor.bands * MemoryLayout<Float>.stride
    }
    var status = stat()
    guard stat(rowsPath(piece), &status) == 0, Int(status.st_size) >= bytes else { return nil }
    return entries
  }

  /// Takes the spool away.
  func remove() throws {
    guard access(directory, F_OK) == 0 else { return }
    for name in try folderContents(directory) { unlink("\(directory)/\(name)") }
    guard rmdir(directory) == 0 else { throw Failure.system(errno, directory, "removing failed") }
  }
}

extension SoundSpool.Entry {
  fileprivate var json: JSON {
    switch self {
    case .refused(let reason): ["refused": .string(reason)]
    case .rows(let frames, let checksum, let seconds, let fileRate):
      [
        "frames": .integer(frames), "crc32": .string(String(checksum, radix: 16)),
        "seconds": .number(seconds),
        "rate": .integer(fileRate),
      ]
    }
  }

  fileprivate init?(_ json: JSON) {
    if let reason = json["refused"]?.string {
      self = .refused(reason)
      return
    }
    guard let frames = json["frames"]?.int, (1...Int(Int32.max)).contains(frames),
      let checksum = json["crc32"]?.string.flatMap({ UInt32($0, radix: 16) }),
      let seconds = json["seconds"]?.double, let rate = json["rate"]?.int
    else { return nil }
    self = .rows(frames: frames, checksum: checksum, seconds: seconds, fileRate: rate)
  }
}
