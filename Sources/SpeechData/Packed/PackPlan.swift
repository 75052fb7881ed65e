import Audio

/// What a packed corpus is to hold: everything but the rows.
public struct PackContents: Sendable {
  /// The speakers' names by label.
  public var speakers: [String]
  /// What is trained and validated on, in dataset order; a path is at the same time what a recording is called.
  public var utterances: [Utterance]
  /// Which of the utterances the corpus itself wants validated on, ascending; empty where it says nothing of it.
  public var validation: [Int]
  /// What is only predicted, in its order; nil for none. Labels may be ``Utterance/unlabelled``.
  public var tests: [Utterance]?
  /// Mel bands of a frame, `1 ... FeatureSettings.mostBands`.
  public var bands: Int
  /// What the rows were made of sound with; nil where nobody knows.
  public var recipe: FeatureRecipe?

  /// - Precondition: the recipe, if there is one, is of as many bands.
  public init(
    speakers: [String], utterances: [Utterance], validation: [Int] = [], tests: [Utterance]? = nil,
    bands: Int,
    recipe: FeatureRecipe? = nil
  ) {
    precondition(recipe?.isOf(bands: bands) ?? true, "a recipe of other than \(bands) bands")
    self.speakers = speakers
    self.utterances = utterances
    self.validation = validation
    self.tests = tests
    self.bands = bands
    self.recipe = recipe
  }

  /// The utterances of one kind, in index order.
  func list(_ kind: PackKind) -> [Utterance] { kind == .shard ? utterances : tests ?? [] }
}

/// Which files a packed corpus consists of and what each holds, decided by the index alone.
///
/// Shard file `k` of N holds piece `k` of the layout order. Test file `k` holds piece `k` of the tests, in their order.
struct PackPlan: Sendable {
  let contents: PackContents
  var speakers: [String] { contents.speakers }
  var utterances: [Utterance] { contents.utterances }
  var validation: [Int] { contents.validation }
  var tests: [Utterance]? { contents.tests }
  var bands: Int { contents.bands }
  var recipe: FeatureRecipe? { contents.recipe }
  /// N: shard files, and as many test files when there are tests.
  let files: Int
  let layout: ShardLayout
  /// 64 bits of the index's contents, by which a file knows what it is a part of.
  let fingerprint: UInt64

  init(_ contents: PackContents, files: Int) {
    self.contents = contents
    self.files = files
    layout = ShardLayout(count: contents.utterances.count)
    let (speakers, utterances, tests) = (contents.speakers, contents.utterances, contents.tests)
    var fingerprint = Fingerprint()
    fingerprint.combine(speakers.count)
    for speaker in speakers { fingerprint.combine(speaker) }
    for list in [utterances, tests ?? []] {
      fingerprint.combine(list.count)
      for utterance in list {
        fingerprint.combine(utterance.path)
        fingerprint.combine(utterance.frames)
        fingerprint.combine(utterance.label)
      }
    }
    fingerprint.combine(tests == nil ? 0 : 1)
    if MelFileHeader.version(bands: contents.bands, hasRecipe: contents.recipe != nil) > 1 {
      fingerprint.combine(contents.bands)
      fingerprint.combine(contents.recipe?.text ?? "")
    }
    for utterance in contents.validation { fingerprint.combine(utterance) }
    self.fingerprint = fingerprint.value
  }

  /// The kinds of files there are.
  var kinds: [PackKind] { tests == nil ? [.shard] : [.shard, .test] }

  /// "shard-00003-of-00008.mels".
  func name(_ kind: PackKind, _ file: Int) -> String {
    Self.name(kind, file, of: files)
  }

  /// The name of file `file` of `files`.
  static func name(_ kind: PackKind, _ file: Int, of files: Int) -> String {
    "\(kind)-\(fiveDigits(file))-of-\(fiveDigits(files)).mels"
  }

  /// Every file's name.
  var names: [String] { kinds.flatMap { kind in (0..<files).map { name(kind, $0) } } }

  /// The indices that a file holds, in its order.
  func members(_ kind: PackKind, _ file: Int) -> [Int] {
    switch kind {
    case .shard: Array(layout.members(ofShard: file, of: files))
    case .test: Array(ShardLayout.piece(file, of: files, count: tests?.count ?? 0))
    }
  }

  /// The front that a file is to have, row checksums apart.
  func front(_ kind: PackKind, _ file: Int) -> MelFileFront {
    let list = contents.list(kind)
    return MelFileFront(
      members: members(kind, file).map { (index: $0, utterance: list[$0]) }, bands: bands, recipe: recipe,
      fingerprint: fingerprint, file: file, files: files)
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}

/// The two kinds of files of a packed corpus.
public enum PackKind: String, Sendable {
  /// What is trained and validated on.
  case shard
  /// What is only predicted.
  case test
}

/// A 64-bit hash that is the same in every run and version: FNV-1a (Fowler, Noll and Vo).
struct Fingerprint {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func combine(_ string: String) {
    for byte in string.utf8 { combine(byte: byte) }
    combine(byte: 0xFF)  // never in UTF-8: ("ab", "c") differs from ("a", "bc")
  }

  mutating func combine(_ number: Int) {
    for shift in stride(from: 0, to: 64, by: 8) { combine(byte: UInt8(truncatingIfNeeded: number >> shift)) }
  }

  private mutating func combine(byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
}
