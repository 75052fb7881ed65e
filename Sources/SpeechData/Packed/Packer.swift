import Diagnostics
import Glibc
import TensorFiles

/// Packs a corpus into a few large files that are mapped instead of read.
///
/// Every file is written under a temporary name, flushed and renamed, and the manifest comes last: what has a
/// final name is whole. A second run keeps the files that are there and fit, so a pack that was killed goes on
/// where it was, and one that a disk has damaged is repaired. Memory is bounded by the index and one utterance a thread.
///
/// Alone, call `run(threads:progress:)`. Of processes that share the work one calls `claim`, then all call
/// `run(files:…)` with ranges that together are `0 ..< files`, and when all have returned, one of them calls `finish()`.
public struct Packer: Sendable {
  /// The folder to pack into.
  public let output: String
  /// The number of shard files.
  public var files: Int { plan.files }
  /// Utterances to pack, tests included.
  public var utterances: Int { plan.utterances.count + (plan.tests?.count ?? 0) }

  /// What a pack of sound holds beside its shards and the manifest.
  static let companions: Set = [SoundPacker.refusedFile, SoundPacker.sourceFile]

  private let plan: PackPlan
  private let rows: any PackRows

  /// Packs the homework's directory. Reads its index; writes nothing.
  ///
  /// - Parameter files: shard files to make; `train.shards` has to divide it.
  /// - Throws: what `Corpus.open` throws; a usage failure when `files` is not in `1 ... utterances`.
  public init(source: String, output: String, files: Int = 8) throws {
    try Self.checkOutput(output)
    guard !FileWriting.isSameFile(source, output) else {
      throw Failure(.usage, "\(output) is the folder of the data: give a folder of its own to pack into")
    }
    guard access("\(source)/metadata.json", F_OK) == 0 else {
      guard access("\(source)/\(PackManifest.fileName)", F_OK) != 0 else {
        throw Failure(.missingInput, "\(source) is packed already: pack reads the homework's directory")
      }
      throw FolderSurvey.failure(source)
    }
    let index = try HomeworkIndex(directory: source)
    let contents = PackContents(
      speakers: index.speakers, utterances: index.utterances, tests: index.tests, bands: Corpus.homeworkBands)
    try self.init(contents, rows: FeatureRows(directory: source, contents), output: output, files: files)
  }

  /// Packs what is told, from rows that are elsewhere. Writes nothing yet.
  ///
  /// - Throws: a usage failure when `files` is not in `1 ... utterances`.
  public init(_ contents: PackContents, rows: some PackRows, output: String, files: Int) throws {
    try Self.checkOutput(output)
    guard (1...max(1, contents.utterances.count)).contains(files) else {
      throw Failure(
        .usage,
        "--shards is \(files), but must be between 1 and the \(contents.utterances.count) utterances")
    }
    self.output = output
    self.rows = rows
    plan = PackPlan(contents, files: files)
  }

  private static func checkOutput(_ output: String) throws {
    guard !output.isEmpty else {
      throw Failure(.usage, "expected a folder to pack into, found an empty name")
    }
  }

  /// Packs everything.
  ///
  /// - Parameters:
  ///   - threads: files written at a time.
  ///   - progress: utterances done so far, called now and then on the calling thread and once at the end.
  /// - Throws: bad data or missing input for the first utterance, in file order, that cannot be read;
  ///   input/output when `output` cannot be written; usage when it holds something else.
  public func run(threads: Int, progress: (_ done: Int, _ total: Int) -> Void) throws {
    let lock = try claim()
    defer { lock.release() }
    try run(files: 0..<files, threads: threads, progress: progress)
    try finish()
  }

  /// Makes the output folder, keeps other processes away from it, and clears it of what a killed pack was writing.
  ///
  /// - Parameter onWait: called once when another process is packing there, which is waited for.
  /// - Returns: what keeps the others away, until it is released.
  /// - Throws: input/output when the folder cannot be made; usage when it holds something else.
  package func claim(onWait: () -> Void = {}) throws -> FileLock {
    try FileWriting.createFolder(output)
    // Without end is never without success.
    let lock = try FileLock(output, patience: .infinity, onWait: onWait)!
    try refuseForeignContents()
    for name in try folderContents(output) where name.hasPrefix(".tmp-") || name.contains(Self.temporaryMark)
    {
      unlink("\(output)/\(name)")
    }
    return lock
  }

  /// Packs some of the files, without the manifest.
  ///
  /// - Throws: as `run(threads:progress:)`.
  public func run(files: Range<Int>, threads: Int, progress: (_ done: Int, _ total: Int) -> Void) throws {
    try FileWriting.createFolder(output)
    try refuseForeignContents()
    let units = plan.kinds.flatMap { kind in files.map { (kind: kind, file: $0) } }
    let total = units.reduce(0) { $0 + plan.members($1.kind, $1.file).count }
    try parallelLoop(
      count: units.count, threads: threads, total: total, progress: progress, scratch: FrameBuffer.init
    ) { [self] index, buffer, done in
      let unit = units[index]
      var front = plan.front(unit.kind, unit.file)
      if try keeps(unit.kind, unit.file, front, buffer) {
        done.advance(by: front.entries.count)
      } else {
        try write(&front, unit.kind, unit.file, buffer, done)
      }
    }
  }

  /// Writes the manifest, after all files were packed; the folder is a corpus from then on.
  ///
  /// - Throws: missing input when a file is not there yet; bad data or usage when one does not fit.
  public func finish() throws {
    let manifest = PackManifest(
      plan, shards: try entries(.shard), tests: plan.tests == nil ? nil : try entries(.test))
    try FileWriting.writeAtomically(
      Array((manifest.json.serialized(indent: 1) + "\n").utf8), to: "\(output)/\(PackManifest.fileName)")
  }

  private func entries(_ kind: PackKind) throws -> [PackManifest.File] {
    try (0..<files).map { file in
      let name = plan.name(kind, file)
      let front = try MelFileFront(reading: "\(output)/\(name)")
      guard front.describesSameRows(as: plan.front(kind, file)) else { throw foreign(name) }
      return PackManifest.File(
        name: name, utterances: front.entries.count, bytes: front.header.fileBytes, checksum: front.checksum)
    }
  }

  // MARK: - The output folder

  /// Refuses a folder with anything in it but finished and temporary files of this very pack.
  private func refuseForeignContents() throws {
    let expected = Set(plan.names)
    for name in try folderContents(output)
    where !name.hasPrefix(".") && name != PackManifest.fileName && !Self.companions.contains(name) {
      let whole = name.firstRange(of: Self.temporaryMark).map { String(name[..<$0.lowerBound]) } ?? name
      guard expected.contains(whole) else { throw foreign(name) }
    }
    let manifestPath = "\(output)/\(PackManifest.fileName)"
    guard access(manifestPath, F_OK) == 0 else { return }
    guard let manifest = try unlessDamaged({ try PackManifest(reading: manifestPath) }) else { return }
    guard manifest.fingerprint == plan.fingerprint, manifest.shards.count == files else {
      throw foreign(PackManifest.fileName)
    }
  }

  private func foreign(_ name: String) -> Failure {
    Failure(
      .usage,
      "\(output) holds \(name), which is not part of \(rows.name) packed into \(files) files: "
        + "give an empty folder, or a new one")
  }

  /// Whether a finished file is there that need not be written: undamaged, and packed from what the source holds
  /// now. A damaged one is written again; one of another corpus, or of what the source held earlier, never is.
  private func keeps(
    _ kind: PackKind, _ file: Int, _ expected: MelFileFront, _ buffer: FrameBuffer
  ) throws -> Bool {
    let name = plan.name(kind, file)
    let path = "\(output)/\(name)"
    guard access(path, F_OK) == 0, let front = try unlessDamaged({ try MelFileFront(reading: path) })
    else { return false }
    guard front.describesSameRows(as: expected) else { throw foreign(name) }
    let packed = try InputFile(path: path)
    for (position, entry) in front.entries.enumerated() {
      let checksum =
        try rows.checksum(kind, entry.index) ?? rows.rows(kind, entry.index, buffer).checksum
      guard checksum == entry.checksum else {
        throw Failure(
          .usage,
          "\(path) was packed when \(rows.name)/\(front.paths[position]) held something else: "
            + "give an empty folder, or a new one")
      }
      let stored = try packed.read(at: entry.offset, count: front.rowBytes(position))
      guard CRC32.checksum(stored) == entry.checksum else { return false }
    }
    return true
  }

  private func unlessDamaged<Value>(_ read: () throws -> Value) throws -> Value? {
    do {
      return try read()
    } catch let failure as Failure where failure.kind == .badData {
      return nil
    }
  }

  // MARK: - One file

  static let temporaryMark = ".partial-"
  /// Bytes after which the disk is told to begin.
  private static let writeBehind = 8 << 20

  /// Writes one file: the rows as they are read, then the front, whose checksums are only known then.
  private func write(
    _ front: inout MelFileFront, _ kind: PackKind, _ file: Int, _ buffer: FrameBuffer, _ done: Progress
  ) throws {
    let name = plan.name(kind, file)
    // The process's number keeps two packs from writing into each other's file where the file system has no locks.
    let temporary = "\(output)/\(name)\(Self.temporaryMark)\(getpid())"
    do {
      try writeRows(&front, kind, to: temporary, buffer, done)
      guard rename(temporary, "\(output)/\(name)") == 0 else {
        throw Failure.system(errno, "\(output)/\(name)", "writing failed")
      }
    } catch {
      unlink(temporary)
      throw error
    }
    try FileWriting.synchronizeFolder(output)
  }

  private func writeRows(
    _ front: inout MelFileFront, _ kind: PackKind, to path: String, _ buffer: FrameBuffer, _ done: Progress
  ) throws {
    let file = try FileDescriptor(opening: path, O_WRONLY | O_CREAT | O_TRUNC)
    try file.allocate(front.header.fileBytes)
    var startedUpTo = 0
    for i in front.entries.indices {
      let rows = try rows.rows(kind, front.entries[i].index, buffer)
      guard rows.bytes.count == front.rowBytes(i) else {
        throw Failure(
          .internalError,
          "\(front.paths[i].quoted) has \(rows.bytes.count) bytes of features, where \(front.rowBytes(i)) were told"
        )
      }
      front.entries[i].checksum = rows.checksum
      try file.write(rows.bytes, at: front.entries[i].offset)
      let end = front.entries[i].offset + rows.bytes.count
      if end - startedUpTo >= Self.writeBehind {
        file.startWriting(startedUpTo..<end)
        startedUpTo = end
      }
      done.advance()
    }
    try front.encoded().withUnsafeBytes { try file.write($0, at: 0) }
    try file.synchronize()
  }
}
