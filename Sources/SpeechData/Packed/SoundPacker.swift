import Audio
import Diagnostics
import Glibc
import Synchronization
import TensorFiles

/// Packs a corpus of sound into shards of features, in two stages: every recording is decoded into a spool, and when all
/// are known, the shards are written from it. The shards' bytes do not depend on who decoded what.
///
/// Of processes that share the work one calls ``claim(onWait:)``, then all call ``extract(pieces:threads:progress:)`` with
/// pieces of their own that together are `0 ..< pieces`; when all have returned, all ask for ``gathered()``, write their
/// share of the shards with its ``Gathered/packer(files:)``, and one of them calls ``finish(_:)``.
public struct SoundPacker: Sendable {
  /// What a pack holds beside its shards and the manifest.
  public static let refusedFile = "refused.tsv"
  static let sourceFile = "source.json"

  /// What was decoded, and what of it is packed.
  public struct Gathered: Sendable {
    /// What the shards are to hold.
    public let contents: PackContents
    /// What is left out: what the corpus refused, then recordings that cannot be decoded, each in its order.
    public let refused: [Refusal]
    /// Seconds of sound in what is packed.
    public let seconds: Double
    /// Recordings whose rate is below that of the features: above half of theirs there is nothing in these.
    public let upsampled: Int
    fileprivate let rows: SpoolRows
    fileprivate let output: String

    /// What writes the shards.
    ///
    /// - Throws: `.usage` for a number that is not in `1 ... utterances`.
    public func packer(files: Int) throws -> Packer {
      try Packer(contents, rows: rows, output: output, files: files)
    }
  }

  /// The folder to pack into.
  public let output: String
  /// What is packed.
  public var corpus: SoundCorpus { spool.corpus }
  /// The number of pieces that can be decoded by themselves.
  public var pieces: Int { spool.pieces }

  private let spool: SoundSpool

  /// - Throws: `.usage` for a folder that cannot be packed into.
  public init(_ corpus: SoundCorpus, _ extractor: FeatureExtractor, output: String) throws(Failure) {
    guard !output.isEmpty else {
      throw Failure(.usage, "expected a folder to pack into, found an empty name")
    }
    guard !FileWriting.isSameFile(corpus.directory, output) else {
      throw Failure(.usage, "\(output) is the folder of the data: give a folder of its own to pack into")
    }
    self.output = output
    spool = SoundSpool(corpus, extractor, output: output)
  }

  /// The recordings of a piece.
  public func recordings(_ piece: Int) -> Int { spool.recordings(piece).count }

  /// Makes the output folder and keeps other processes away from it.
  ///
  /// - Parameter onWait: called once when another process is packing there, which is waited for.
  /// - Returns: what keeps the others away, until it is released.
  /// - Throws: `.inputOutput` when the folder cannot be made; `.usage` when it holds something that is no pack's.
  package func claim(onWait: () -> Void = {}) throws -> FileLock {
    try FileWriting.createFolder(output)
    // Without end is never without success.
    let lock = try FileLock(output, patience: .infinity, onWait: onWait)!
    let names = try folderContents(output)
    if let foreign = names.first(where: { !$0.hasPrefix(".") && !Self.isOfPack($0) }) {
      throw Failure(
        .usage,
        "\(output) holds \(foreign), which is not part of a packed corpus: give an empty folder, or a new one"
      )
    }
    for name in names where name.hasPrefix(".tmp-") || name.contains(Packer.temporaryMark) {
      unlink("\(output)/\(name)")
    }
    return lock
  }

  /// Whether a name is one of those in a pack, whole or begun.
  private static func isOfPack(_ name: String) -> Bool {
    name.contains(".mels") || Packer.companions.contains(name) || name == PackManifest.fileName
  }

  /// Empties the folder of a pack of other sound, or of what the same files held earlier; ``claim(onWait:)`` was called.
  package func clearOfOthers() throws {
    guard let source = try? JSON.read(path: "\(output)/\(Self.sourceFile)"), source["key"]?.string != key
    else { return }
    for name in try folderContents(output) where Self.isOfPack(name) {
      unlink("\(output)/\(name)")
    }
  }

  /// Whether the folder holds the whole pack of this very sound, as its files are now.
  public func isWhole(files: Int) -> Bool {
    guard let source = try? JSON.read(path: "\(output)/\(Self.sourceFile)"), source["key"]?.string == key,
      let manifest = try? PackManifest(reading: "\(output)/\(PackManifest.fileName)")
    else { return false }
    return manifest.shards.count == files && manifest.recipe == spool.extractor.recipe
      && access(spool.directory, F_OK) != 0
  }

  /// By what a pack knows the sound that it was made of.
  private var key: String {
    var fingerprint = Fingerprint()
    fingerprint.combine(Int(bitPattern: UInt(corpus.fingerprint)))
    for piece in 0..<pieces { fingerprint.combine(Int(bitPattern: UInt(spool.key(piece)))) }
    return String(fingerprint.value, radix: 16)
  }

  /// Decodes some of the pieces into the spool.
  ///
  /// - Parameter progress: recordings done so far and seconds of sound in them, called now and then on the calling
  ///   thread and once at the end.
  /// - Throws: `.inputOutput` when the spool cannot be written. A recording that cannot be decoded is no failure here.
  public func extract(
    pieces: [Int], threads: Int, progress: (_ done: Int, _ seconds: Double) -> Void
  ) throws {
    try FileWriting.createFolder(spool.directory)
    let heard = Mutex(0.0)
    let total = pieces.reduce(0) { $0 + recordings($1) }
    try parallelLoop(
      count: pieces.count, threads: threads, total: total,
      progress: { done, _ in progress(done, heard.withLock { $0 }) }, scratch: {}
    ) { [spool] index, _, done in
      try spool.make(pieces[index]) { seconds in
        heard.withLock { $0 += seconds }
        done.advance()
      }
    }
  }

  /// What was decoded, of all pieces.
  ///
  /// - Throws: `.badData` if nothing of it can be packed; `.inputOutput` if a piece is not there.
  public func gathered() throws -> Gathered {
    var kept: [(recording: Recording, frames: Int, place: SpoolRows.Place)] = []
    var refused = corpus.refused
    var seconds = 0.0
    var upsampled = 0
    for piece in 0..<pieces {
      guard let entries = try spool.entries(piece) else {
        throw Failure(
          .inputOutput, "\(spool.directory): piece \(piece) is not there: start the same pack again")
      }
      var offset = 0
      for (number, entry) in zip(spool.recordings(piece), entries) {
        let recording = corpus.recordings[number]
        switch entry {
        case .refused(let reason): refused.append(Refusal(recording.key, reason))
        case .rows(let frames, let checksum, let length, let fileRate):
          let bytes = frames * spool.extractor.bands * MemoryLayout<Float>.stride
          kept.append(
            (
              recording, frames,
              SpoolRows.Place(piece: piece, offset: offset, bytes: bytes, checksum: checksum)
            ))
          offset += bytes
          seconds += length
          if fileRate < spool.extractor.audio.rate { upsampled += 1 }
        }
      }
    }
    let trained = kept.filter { $0.recording.part != .test }
    let tests = kept.filter { $0.recording.part == .test }
    guard !trained.isEmpty else {
      let first = refused.prefix(3).map { "\($0.what.quoted): \($0.reason)" }.joined(separator: "; ")
      throw Failure(
        .badData,
        "\(corpus.directory): nothing of \(corpus.recordings.count) recordings can be used: \(first)")
    }
    let speakers = Set(trained.map(\.recording.speaker)).sorted(by: bytesPrecede)
    let labels = Dictionary(uniqueKeysWithValues: zip(speakers, speakers.indices))
    func utterances(_ list: [(recording: Recording, frames: Int, place: SpoolRows.Place)]) -> [Utterance] {
      list.map {
        Utterance(
          path: $0.recording.key, frames: $0.frames,
          label: labels[$0.recording.speaker] ?? Utterance.unlabelled)
      }
    }
    let contents = PackContents(
      speakers: speakers, utterances: utterances(trained),
      validation: trained.indices.filter { trained[$0].recording.part == .validation },
      tests: tests.isEmpty ? nil : utterances(tests),
      bands: spool.extractor.bands, recipe: spool.extractor.recipe)
    return Gathered(
      contents: contents, refused: refused, seconds: seconds, upsampled: upsampled,
      rows: SpoolRows(spool, shards: trained.map(\.place), tests: tests.map(\.place)), output: output)
  }

  /// Writes what is beside the shards, after the manifest, and takes the spool away.
  public func finish(_ gathered: Gathered) throws {
    let lines = gathered.refused.map { "\($0.what.printable)\t\($0.reason.printable)\n" }
    if lines.isEmpty {
      unlink("\(output)/\(Self.refusedFile)")
    } else {
      try FileWriting.writeAtomically(Array(lines.joined().utf8), to: "\(output)/\(Self.refusedFile)")
    }
    let source: JSON = [
      "data": .string(corpus.directory), "layout": .string(corpus.layout.rawValue), "key": .string(key),
      "recordings": .integer(corpus.recordings.count), "refused": .integer(gathered.refused.count),
      "seconds": .number((gathered.seconds * 1_000).rounded() / 1_000),
    ]
    try FileWriting.writeAtomically(
      Array((source.serialized(indent: 1) + "\n").utf8), to: "\(output)/\(Self.sourceFile)")
    try spool.remove()
  }
}

/// Rows as they lie in a spool.
private struct SpoolRows: PackRows {
  struct Place {
    let piece: Int
    let offset: Int
    let bytes: Int
    let checksum: UInt32
  }

  let name: String
  private let spool: SoundSpool
  private let shards: [Place]
  private let tests: [Place]

  init(_ spool: SoundSpool, shards: [Place], tests: [Place]) {
    name = spool.corpus.directory
    self.spool = spool
    self.shards = shards
    self.tests = tests
  }

  private func place(_ kind: PackKind, _ index: Int) -> Place {
    kind == .shard ? shards[index] : tests[index]
  }

  func rows(
    _ kind: PackKind, _ index: Int, _ buffer: FrameBuffer
  ) throws -> (bytes: UnsafeRawBufferPointer, checksum: UInt32) {
    let place = place(kind, index)
    let path = spool.rowsPath(place.piece)
    let bytes = buffer.reserve(place.bytes)
    try InputFile(path: path).read(into: bytes, at: place.offset)
    guard CRC32.checksum(UnsafeRawBufferPointer(bytes)) == place.checksum else {
      throw Failure(
        .inputOutput, "\(path) is damaged: remove \(spool.directory) and start the same pack again")
    }
    return (UnsafeRawBufferPointer(bytes), place.checksum)
  }

  func checksum(_ kind: PackKind, _ index: Int) throws -> UInt32? { place(kind, index).checksum }
}
