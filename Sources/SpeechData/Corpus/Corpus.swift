import Audio
import Diagnostics
import Glibc
import TensorFiles

/// A data directory, opened: the homework's own (`metadata.json`, `mapping.json`, `testdata.json`, one `.pt`
/// file an utterance) or a packed one (`manifest.json`, `.mels` files), read the same way.
///
/// Opening reads the index alone. Frames become available with `prepare`, which verifies every utterance of
/// the shards it is given, so that training never meets a bad file after it has begun.
public final class Corpus: Sendable {
  /// Mel bands of a frame in the homework's directory.
  public static let homeworkBands = 40
  /// Bytes of such a frame.
  static let homeworkFrameBytes = homeworkBands * MemoryLayout<Float>.stride

  /// The directory it was opened from.
  public let directory: String
  /// The speakers' names by label: `mapping.json`'s `speaker2id`, or sorted names when there is none.
  public let speakers: [String]
  /// All of `metadata.json`, in the notebook's dataset order: JSON key order, then list order.
  public let utterances: [Utterance]
  /// Which of the utterances the corpus itself wants validated on, ascending; empty where it says nothing of it.
  public let validation: [Int]
  /// All of `testdata.json` in its order, with label -1; nil when there is none.
  public let tests: [Utterance]?
  /// The number of shard files of a packed directory; nil for the homework's own.
  public let packedFiles: Int?
  /// Mel bands of a frame.
  public let bands: Int
  /// What the features were made of sound with; nil where nobody noted it, as the homework's directory does not.
  public let recipe: FeatureRecipe?

  private let layout: ShardLayout
  private let trainingFrames: Frames
  private let testFrames: Frames

  /// Where frames come from.
  private enum Frames: Sendable {
    case features(FeatureFiles)
    case packed(PackedFrames)
  }

  /// Opens a directory of either kind.
  ///
  /// - Throws: missing input when it holds neither kind or a JSON file it needs is not there; bad data, naming
  ///   file and key, when a JSON file does not hold what it should.
  public static func open(_ directory: String) throws -> Corpus {
    if access("\(directory)/metadata.json", F_OK) == 0 { return try Corpus(features: directory) }
    if access("\(directory)/\(PackManifest.fileName)", F_OK) == 0 { return try Corpus(packed: directory) }
    throw FolderSurvey.failure(directory)
  }

  private init(features directory: String) throws {
    let index = try HomeworkIndex(directory: directory)
    self.directory = directory
    speakers = index.speakers
    utterances = index.utterances
    tests = index.tests
    packedFiles = nil
    bands = Self.homeworkBands
    recipe = nil
    validation = []
    layout = ShardLayout(count: utterances.count)
    trainingFrames = .features(try FeatureFiles(directory: directory, utterances))
    testFrames = .features(try FeatureFiles(directory: directory, tests ?? []))
  }

  private init(packed directory: String) throws {
    let index = try PackedIndex(directory: directory)
    self.directory = directory
    speakers = index.plan.speakers
    utterances = index.plan.utterances
    tests = index.plan.tests
    validation = index.plan.validation
    packedFiles = index.plan.files
    bands = index.plan.bands
    recipe = index.plan.recipe
    layout = index.plan.layout
    trainingFrames = .packed(PackedFrames(utterances, index.shardRows, bands: bands))
    testFrames = .packed(
      PackedFrames(tests ?? [], index.testRows ?? PackedRows(files: [], places: []), bands: bands))
  }

  /// From one frame to the next: what the recipe says, 10 ms without one.
  public var secondsPerFrame: Double { (recipe?.json["hop_ms"]?.double ?? 10) / 1_000 }

  /// 64 bits by which a run knows its training data again, be it packed or not: the speakers, and the length and
  /// speaker of each utterance, in order.
  public var fingerprint: UInt64 {
    var fingerprint = Fingerprint()
    for speaker in speakers { fingerprint.combine(speaker) }
    for utterance in utterances {
      fingerprint.combine(utterance.frames)
      fingerprint.combine(utterance.label)
    }
    return fingerprint.value
  }

  /// The same of the test utterances: their names and lengths, in order.
  public var testFingerprint: UInt64 {
    var fingerprint = Fingerprint()
    for utterance in tests ?? [] {
      fingerprint.combine(utterance.path)
      fingerprint.combine(utterance.frames)
    }
    return fingerprint.value
  }

  /// The utterances of shard `v` of `shards`, as indices into `utterances`, in the fixed layout order.
  ///
  /// - Throws: a usage `Failure` for a packed directory whose number of files `shards` does not divide.
  public func members(ofShard v: Int, of shards: Int) throws -> [Int] {
    try checkShards(v..<v + 1, of: shards)
    return Array(layout.members(ofShard: v, of: shards))
  }

  /// Makes the frames of some shards available: verifies every utterance in them and remembers where it is.
  ///
  /// In the homework's directory, each `.pt` file is read whole and must hold one float32 tensor [mel_len, 40]
  /// of finite numbers with the right checksum. In a packed one, the files are mapped and the rows compared
  /// with their checksums.
  /// - Parameters:
  ///   - shards: some of the `count` shards.
  ///   - threads: how many threads read.
  ///   - progress: called now and then on the calling thread, and once at the end.
  /// - Throws: the failure of the first bad utterance in dataset order (in file order when packed), whatever
  ///   the threads; a usage failure as `members`.
  public func prepare(
    shards: Range<Int>, of count: Int, threads: Int, progress: (_ done: Int, _ total: Int) -> Void
  ) throws {
    try checkShards(shards, of: count)
    let indices = shards.flatMap { layout.members(ofShard: $0, of: count) }
    try prepare(indices, threads: threads, progress: progress)
  }

  /// Makes the frames of some utterances available, verified as by `prepare(shards:…)`.
  ///
  /// - Parameter indices: into `utterances`.
  public func prepare(
    _ indices: [Int], threads: Int, progress: (_ done: Int, _ total: Int) -> Void
  ) throws {
    try prepare(indices, in: trainingFrames, threads: threads, progress: progress)
  }

  /// Makes the frames of some test utterances available, verified as by `prepare(shards:…)`.
  ///
  /// - Parameter range: positions in `tests`.
  public func prepareTests(
    _ range: Range<Int>, threads: Int, progress: (_ done: Int, _ total: Int) -> Void
  ) throws {
    precondition(range.lowerBound >= 0 && range.upperBound <= tests?.count ?? 0, "no such test utterances")
    try prepare(Array(range), in: testFrames, threads: threads, progress: progress)
  }

  /// Copies `count` frames of an utterance into `frames`, [count, bands] row-major.
  ///
  /// Safe from several threads; allocates nothing.
  /// - Parameters:
  ///   - utterance: an index into `utterances`, of a shard that was prepared.
  ///   - start: the first frame.
  ///   - frames: room for `count · bands` floats.
  /// - Throws: an internal `Failure` when the utterance is not prepared or has no such frames; input/output
  ///   when its file cannot be read any more.
  public func copyFrames(
    of utterance: Int, from start: Int, count: Int, into frames: UnsafeMutablePointer<Float>
  ) throws {
    try Self.checkRange(utterances[utterance], start, count)
    switch trainingFrames {
    case .features(let source): try source.copyFrames(of: utterance, from: start, count: count, into: frames)
    case .packed(let source): try source.copyFrames(of: utterance, from: start, count: count, into: frames)
    }
  }

  /// As `copyFrames`, for a position in `tests`.
  public func copyTestFrames(
    of utterance: Int, from start: Int, count: Int, into frames: UnsafeMutablePointer<Float>
  ) throws {
    guard let tests else { throw Failure(.internalError, "\(directory) has no test utterances") }
    try Self.checkRange(tests[utterance], start, count)
    switch testFrames {
    case .features(let source): try source.copyFrames(of: utterance, from: start, count: count, into: frames)
    case .packed(let source): try source.copyFrames(of: utterance, from: start, count: count, into: frames)
    }
  }

  private func prepare(
    _ indices: [Int], in frames: Frames, threads: Int, progress: (_ done: Int, _ total: Int) -> Void
  ) throws {
    switch frames {
    case .features(let source): try source.prepare(indices, threads: threads, progress: progress)
    case .packed(let source): try source.prepare(indices, threads: threads, progress: progress)
    }
  }

  private func checkShards(_ shards: Range<Int>, of count: Int) throws {
    if let packedFiles, let objection = ShardLayout.objection(toShards: count, files: packedFiles) {
      throw objection
    }
    precondition(shards.lowerBound >= 0 && shards.upperBound <= count, "no such shard")
  }

  private static func checkRange(_ utterance: Utterance, _ start: Int, _ count: Int) throws {
    guard start >= 0, count > 0, start <= utterance.frames, count <= utterance.frames - start else {
      throw Failure(
        .internalError,
        "\(count) frames from \(start) on of \(utterance.path) were asked for, which has \(utterance.frames)")
    }
  }

  /// What reading an utterance throws whose shard was not prepared.
  static func unprepared(_ utterance: Utterance) -> Failure {
    Failure(.internalError, "the frames of \(utterance.path) were asked for before they were prepared")
  }
}

/// One utterance as the corpus's index lists it.
public struct Utterance: Sendable, Equatable {
  /// `feature_path`: the file of its features, relative to the homework's directory.
  public let path: String
  /// `mel_len`: its frames, at least 1, of 10 ms each.
  public let frames: Int
  /// The speaker's number, an index into `Corpus.speakers`; -1 for a test utterance.
  public let label: Int

  /// The label of utterances whose speaker is not told.
  public static let unlabelled = -1

  /// An utterance as listed.
  public init(path: String, frames: Int, label: Int) {
    self.path = path
    self.frames = frames
    self.label = label
  }
}
