import Audio
import Diagnostics
import Foundation
import TensorFiles

// A corpus is written into the folder `NAME.partial` beside the one asked for, which takes its name when
// everything is there. So a folder under its final name is whole, and an interrupted run is continued.

/// Writing in the homework's layout: `metadata.json`, `mapping.json`, `testdata.json`, `uttr-*.pt`; also
/// `test_answers.csv`, the test utterances' speakers in the form of a submission, and `synthesis.json`, the parameters.
/// Or as sound, see ``CorpusSynthesizer/Form``.
extension CorpusSynthesizer {
  /// Makes the folder to write into. Of several processes that share the work one calls this, and the
  /// others wait for it before they write.
  ///
  /// - Parameters:
  ///   - directory: does not exist, is empty, or holds this corpus.
  ///   - onWait: called once when another process is writing there, which is waited for.
  /// - Returns: keeps others away until it goes; nil if the folder holds this very corpus already, and nothing is to
  ///   be done.
  /// - Throws: `.badData` if the folder holds anything else, `.inputOutput` if writing fails or the disk has too
  ///   little room.
  package func prepare(_ directory: String, onWait: () -> Void = {}) throws(Failure) -> FileLock? {
    guard !directory.isEmpty else {
      throw Failure(.usage, "expected a folder for the corpus, found an empty name")
    }
    let partial = Self.partial(directory)
    if case .thisCorpus = try contentsToReplace(of: directory) { return nil }
    if case .somethingElse = try contents(of: partial) { throw inTheWay(partial) }
    try FileWriting.createFolder(partial)
    let lock = try FileLock(partial, patience: .infinity, onWait: onWait)
    // Again, now that nobody else writes: another process may have finished this very corpus meanwhile.
    if case .thisCorpus = try contentsToReplace(of: directory) {
      rmdir(partial)
      return nil
    }
    switch try contents(of: partial) {
    case .thisCorpus: try removeTemporaries(in: partial)
    case .nothing: break
    case .anotherCorpus: try removeEverything(in: partial)
    case .somethingElse: throw inTheWay(partial)
    }
    try checkRoom(in: partial)
    try FileWriting.writeAtomically(
      Array((parameters.serialized(indent: 2) + "\n").utf8), to: "\(partial)/\(Self.parametersFile)")
    return lock
  }

  /// What a folder holds that is to be replaced.
  ///
  /// - Throws: `.badData` if that is not nothing or this corpus.
  private func contentsToReplace(of directory: String) throws(Failure) -> Contents {
    let contents = try contents(of: directory)
    switch contents {
    case .thisCorpus: break
    case .nothing: try checkReplaceable(directory)
    case .anotherCorpus(let what):
      throw Failure(
        .badData, "\(directory) holds another corpus (\(what)); remove it or choose another folder")
    case .somethingElse:
      throw Failure(
        .badData, "\(directory) is not empty and holds no synthesized corpus; choose another folder")
    }
    return contents
  }

  private func inTheWay(_ partial: String) -> Failure {
    Failure(.badData, "\(partial) is in the way and was not written by an interrupted synthesis; remove it")
  }

  /// Checks that the disk has room for the utterances that are still to be written.
  private func checkRoom(in partial: String) throws(Failure) {
    var disk = statvfs()
    guard statvfs(partial, &disk) == 0 else { return }
    let free = Double(disk.f_bavail) * Double(disk.f_frsize)
    let perFrame =
      form == .features ? LogMel.bands * MemoryLayout<Float>.stride : LogMel.hop * MemoryLayout<Int16>.stride
    let each = Double(lengths.meanFrames * perFrame + 1024)
    let written = try attempting("reading the folder \(partial)") {
      try FileManager.default.subpathsOfDirectory(atPath: partial).count
    }
    let needed = each * Double(utterances.count - written)
    guard needed > free else { return }
    rmdir(partial)  // When nothing is in it yet.
    func gigabytes(_ bytes: Double) -> String { String(format: "%.1f GB", bytes / 1e9) }
    throw Failure(
      .inputOutput,
      "\(partial): \(utterances.count) utterances take about \(gigabytes(needed)), and \(gigabytes(free)) are free"
        + " there: \(Int(free / each) * 6 / 7) --utterances would fit, with a sixth of them to test")
  }

  /// Whether the folder holds this very corpus, whole.
  ///
  /// - Throws: `.badData` or `.inputOutput` if its parameters cannot be read.
  public func isWritten(_ directory: String) throws(Failure) -> Bool {
    if case .thisCorpus = try contents(of: directory) { true } else { false }
  }

  /// All files that are rendered: those of the utterances, by their numbers, and behind them noise and rooms.
  public var files: Range<Int> {
    0..<utterances.count + (form == .sound ? extras.count : 0)
  }

  /// Renders and writes some of the files, those that an interrupted run left included.
  ///
  /// - Parameters:
  ///   - threads: how many are rendered side by side.
  ///   - progress: called on the calling thread with the files done and all.
  /// - Throws: `.inputOutput` if writing fails.
  public func write(
    files: Range<Int>, to directory: String, threads: Int, progress: (Int, Int) -> Void
  ) throws {
    let partial = Self.partial(directory)
    let extras = extras
    try parallelLoop(
      count: files.count, threads: threads, total: files.count, progress: progress, scratch: {}
    ) { index, _, done in
      try write(files.lowerBound + index, into: partial, extras)
      done.advance()
    }
  }

  /// Writes the lists and gives the folder its name. Of several processes that share the work one calls
  /// this, after all have written.
  ///
  /// - Throws: `.internalError` if a file was not written, `.inputOutput` if writing fails.
  public func finish(_ directory: String) throws(Failure) {
    let partial = Self.partial(directory)
    let extras = extras
    for file in files {
      let path = "\(partial)/\(self.path(file, extras))"
      guard FileManager.default.fileExists(atPath: path) else {
        throw Failure(.internalError, "\(path), file \(file), was not written before the corpus was finished")
      }
    }
    for (name, text) in form == .features ? lists() : soundLists() {
      try FileWriting.writeAtomically(Array(text.utf8), to: "\(partial)/\(name)")
    }
    guard rename(partial, directory) == 0 else {
      throw Failure.system(errno, directory, "the finished corpus cannot be put there")
    }
  }

  private func path(_ file: Int, _ extras: [Extra]) -> String {
    form == .features ? utterance(file).fileName : soundPath(file, extras)
  }

  private func write(_ file: Int, into partial: String, _ extras: [Extra]) throws(Failure) {
    let path = "\(partial)/\(self.path(file, extras))"
    guard !FileManager.default.fileExists(atPath: path) else { return }
    switch form {
    case .features:
      let mel = Tensor(float32: features(file), shape: [utterance(file).frames, LogMel.bands])
      try TorchFile.writeTensor(mel, to: path)
    case .sound:
      try FileWriting.createFolder((path as NSString).deletingLastPathComponent)
      try FileWriting.writeAtomically(sound(file, extras), to: path)
    }
  }

  /// Checks that a folder which is there, and empty, can be replaced by a finished one.
  private func checkReplaceable(_ directory: String) throws(Failure) {
    var folder = stat(), parent = stat()
    let name = directory.split(separator: "/").last
    guard lstat(directory, &folder) == 0 else { return }
    let isPlain = folder.st_mode & S_IFMT == S_IFDIR && name != "." && name != ".."
    guard isPlain, lstat("\(directory)/..", &parent) == 0, parent.st_dev == folder.st_dev else {
      throw Failure(
        .usage,
        "\(directory) is a link, a mount point or the working folder, which cannot be put in place when all is written:"
          + " give a folder in it, such as \(directory)/corpus")
    }
  }

  /// Removes what a killed run was writing, which is named otherwise until it is whole.
  private func removeTemporaries(in partial: String) throws(Failure) {
    try attempting("clearing \(partial)") {
      for path in try FileManager.default.subpathsOfDirectory(atPath: partial)
      where path.hasPrefix(".tmp-") || path.contains("/.tmp-") {
        try FileManager.default.removeItem(atPath: "\(partial)/\(path)")
      }
    }
  }

  private func removeEverything(in partial: String) throws(Failure) {
    try attempting("clearing \(partial)") {
      for name in try FileManager.default.contentsOfDirectory(atPath: partial) {
        try FileManager.default.removeItem(atPath: "\(partial)/\(name)")
      }
    }
  }

  // MARK: - What a folder holds

  private enum Contents {
    case nothing, thisCorpus, anotherCorpus(String), somethingElse
  }

  private static let parametersFile = "synthesis.json"

  private static func partial(_ directory: String) -> String {
    var name = directory[...]
    while name.count > 1, name.last == "/" { name.removeLast() }
    return name + ".partial"
  }

  private func contents(of directory: String) throws(Failure) -> Contents {
    guard FileManager.default.fileExists(atPath: directory) else { return .nothing }
    guard FileWriting.isFolder(directory) else {
      throw Failure(.inputOutput, "\(directory): the folder cannot be created: a file is in its place")
    }
    let names = try attempting("reading the folder \(directory)") {
      try FileManager.default.contentsOfDirectory(atPath: directory)
    }
    if names.isEmpty { return .nothing }
    guard names.contains(Self.parametersFile) else { return .somethingElse }
    let found = try JSON.read(path: "\(directory)/\(Self.parametersFile)")
    return found == parameters ? .thisCorpus : .anotherCorpus(found.serialized())
  }

  private func attempting<Value>(_ what: String, _ body: () throws -> Value) throws(Failure) -> Value {
    do {
      return try body()
    } catch {
      // Foundation wraps the system's reason ("Permission denied") in an error that speaks of itself.
      let system = (error as? CocoaError)?.underlying as? POSIXError
      let reason = system.map { String(cString: strerror($0.code.rawValue)) } ?? error.localizedDescription
      throw Failure(.inputOutput, "\(what) failed: \(reason)")
    }
  }
}

// The files beside the utterances.
extension CorpusSynthesizer {
  /// The version of the synthesis: raised when the same parameters begin to give other utterances.
  public static let version = 1

  /// What tells one corpus from another, the text of `synthesis.json`.
  package var parameters: JSON {
    let utterances: JSON = [
      "version": .integer(Self.version), "speakers": .integer(speakers),
      "utterances": .integer(trainingUtterances), "test_utterances": .integer(testUtterances),
      "seed": .string(String(seed)), "lengths": .string(lengths.name),
    ]
    guard form == .sound, var object = utterances.object else { return utterances }
    object["form"] = "wav"
    return .object(object)
  }

  /// The names and the texts of the homework's three lists, and of the answers it keeps to itself.
  func lists() -> [(name: String, text: String)] {
    let all = utterances.map { utterance($0) }
    let training = all.prefix(trainingUtterances)
    let test = all.suffix(testUtterances)

    var bySpeaker = [[JSON]](repeating: [], count: speakers)
    for utterance in training { bySpeaker[utterance.speaker].append(entry(utterance)) }
    let names = (0..<speakers).map(speakerName)
    let metadata: JSON = [
      "n_mels": .integer(LogMel.bands),
      "speakers": .object(JSONObject(zip(names, bySpeaker).map { ($0, .array($1)) })),
    ]
    let testdata: JSON = [
      "n_mels": .integer(LogMel.bands), "utterances": .array(test.map(entry)),
    ]
    let mapping: JSON = [
      "speaker2id": .object(JSONObject(names.enumerated().map { ($1, .integer($0)) })),
      "id2speaker": .object(JSONObject(names.enumerated().map { (String($0), .string($1)) })),
    ]
    // The form of a submission, line ends included, so that the two can be compared line by line.
    let answers = test.map { "\($0.fileName),\(names[$0.speaker])\r\n" }.joined()
    return [
      ("metadata.json", metadata.serialized(indent: 2)), ("testdata.json", testdata.serialized(indent: 2)),
      ("mapping.json", mapping.serialized(indent: 2)), ("test_answers.csv", "Id,Category\r\n" + answers),
    ]
  }

  private func entry(_ utterance: Utterance) -> JSON {
    ["feature_path": .string(utterance.fileName), "mel_len": .integer(utterance.frames)]
  }
}
