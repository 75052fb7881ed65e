import Diagnostics
import TensorFiles

/// Which files a packed corpus consists of and what each holds, decided by the index alone.
///
/// Shard file `k` of N holds piece `k` of the layout order. Test file `k` holds piece `k` of `testdata.json`,
/// in its order.
struct PackPlan: Sendable {
  enum Kind: String, Sendable { case shard, test }

  let speakers: [String]
  let utterances: [Utterance]
  let tests: [Utterance]?
  /// N: shard files, and as many test files when there are tests.
  let files: Int
  let layout: ShardLayout
  /// 64 bits of the index's contents, by which a file knows what it is a part of.
  let fingerprint: UInt64

  init(speakers: [String], utterances: [Utterance], tests: [Utterance]?, files: Int) {
    self.speakers = speakers
    self.utterances = utterances
    self.tests = tests
    self.files = files
    layout = ShardLayout(count: utterances.count)
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
    self.fingerprint = fingerprint.value
  }

  /// The kinds of files there are.
  var kinds: [Kind] { tests == nil ? [.shard] : [.shard, .test] }

  /// "shard-00003-of-00008.mels".
  func name(_ kind: Kind, _ file: Int) -> String {
    Self.name(kind, file, of: files)
  }

  /// The name of file `file` of `files`.
  static func name(_ kind: Kind, _ file: Int, of files: Int) -> String {
    "\(kind)-\(fiveDigits(file))-of-\(fiveDigits(files)).mels"
  }

  /// Every file's name.
  var names: [String] { kinds.flatMap { kind in (0..<files).map { name(kind, $0) } } }

  /// The utterances of one kind, in index order.
  func list(_ kind: Kind) -> [Utterance] { kind == .shard ? utterances : tests ?? [] }

  /// The indices that a file holds, in its order.
  func members(_ kind: Kind, _ file: Int) -> [Int] {
    switch kind {
    case .shard: Array(layout.members(ofShard: file, of: files))
    case .test: Array(ShardLayout.piece(file, of: files, count: tests?.count ?? 0))
    }
  }

  /// The front that a file is to have, row checksums apart.
  func front(_ kind: Kind, _ file: Int) -> MelFileFront {
    let list = list(kind)
    return MelFileFront(
      members: members(kind, file).map { (index: $0, utterance: list[$0]) }, fingerprint: fingerprint,
      file: file, files: files)
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
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

/// `manifest.json` of a packed corpus: written last, so a folder that has one is complete.
struct PackManifest: Equatable {
  static let fileName = "manifest.json"
  static let format = "speakerid-dist packed corpus"
  static let version = 1

  struct File: Equatable {
    var name: String
    var utterances: Int
    var bytes: Int
    /// The checksum in the file's header, which covers its index and the index's row checksums.
    var checksum: UInt32
  }

  var fingerprint: UInt64
  var speakers: [String]
  var shards: [File]
  /// Nil when the source had no testdata.json.
  var tests: [File]?

  /// The manifest as JSON; its last member is the CRC-32 of the others' compact text.
  var json: JSON {
    var members: [(String, JSON)] = [
      ("format", .string(Self.format)),
      ("version", .integer(Self.version)),
      ("n_mels", .integer(Corpus.bins)),
      ("fingerprint", .string(String(fingerprint, radix: 16))),
      ("utterances", .integer(shards.reduce(0) { $0 + $1.utterances })),
      ("speakers", .array(speakers.map(JSON.string))),
      ("shards", .array(shards.map(\.json))),
    ]
    if let tests {
      members.append(("test_utterances", .integer(tests.reduce(0) { $0 + $1.utterances })))
      members.append(("tests", .array(tests.map(\.json))))
    }
    members.append(("checksum", .string(Self.checksum(of: members))))
    return .object(JSONObject(members))
  }

  private static func checksum(of members: [(String, JSON)]) -> String {
    var text = JSON.object(JSONObject(members)).serialized()
    return String(text.withUTF8 { CRC32.checksum(UnsafeRawBufferPointer($0)) }, radix: 16)
  }

  init(fingerprint: UInt64, speakers: [String], shards: [File], tests: [File]?) {
    self.fingerprint = fingerprint
    self.speakers = speakers
    self.shards = shards
    self.tests = tests
  }

  /// Reads and checks a manifest: what is accepted equals, as JSON, what `json` gives for it.
  init(reading path: String) throws {
    let file = try JSONFile(reading: path)
    guard file.root["format"]?.string == Self.format else {
      throw file.failure("format", "is not \"\(Self.format)\": this is no packed corpus")
    }
    guard file.root["version"]?.int == Self.version else {
      throw file.failure("version", "must be \(Self.version), the one this program reads: pack again")
    }
    guard let fingerprint = file.root["fingerprint"]?.string.flatMap({ UInt64($0, radix: 16) }) else {
      throw file.failure("fingerprint", "must be a hexadecimal number")
    }
    self.fingerprint = fingerprint
    speakers = try file.array("speakers").map { name in
      guard let name = name.string else { throw file.failure("speakers", "must be a list of strings") }
      return name
    }
    shards = try Self.files(file, "shards")
    tests = file.root["tests"] == nil ? nil : try Self.files(file, "tests")
    guard file.root == json else {
      throw file.failure("checksum", "does not fit the rest: the file is damaged or was edited; pack again")
    }
    guard !shards.isEmpty, tests.map({ $0.count == shards.count }) ?? true else {
      throw file.failure("shards", "must list at least one file, and as many as tests")
    }
  }

  private static func files(_ file: JSONFile, _ key: String) throws -> [File] {
    try file.array(key).enumerated().map { position, entry in
      guard let name = entry["file"]?.string, let utterances = entry["utterances"]?.int,
        (0...Int(UInt32.max)).contains(utterances), let bytes = entry["bytes"]?.int,
        let checksum = entry["crc32"]?.string.flatMap({ UInt32($0, radix: 16) })
      else {
        throw file.failure("\(key)[\(position)]", "must have file, utterances, bytes and crc32")
      }
      return File(name: name, utterances: utterances, bytes: bytes, checksum: checksum)
    }
  }
}

extension PackManifest.File {
  fileprivate var json: JSON {
    [
      "file": .string(name), "utterances": .integer(utterances), "bytes": .integer(bytes),
      "crc32": .string(String(checksum, radix: 16)),
    ]
  }
}
