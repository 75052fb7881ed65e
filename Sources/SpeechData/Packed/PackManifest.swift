import Audio
import Diagnostics
import TensorFiles

/// `manifest.json` of a packed corpus: written last, so a folder that has one is complete.
struct PackManifest: Equatable {
  static let fileName = "manifest.json"
  static let format = "speakerid-dist packed corpus"

  struct File: Equatable {
    var name: String
    var utterances: Int
    var bytes: Int
    /// The checksum in the file's header, which covers its index and the index's row checksums.
    var checksum: UInt32
  }

  /// Mel bands of a frame.
  var bands: Int
  /// What the features were made of sound with; nil where nobody noted it.
  var recipe: FeatureRecipe?
  var fingerprint: UInt64
  var speakers: [String]
  var shards: [File]
  /// Utterances that the corpus wants validated on, ascending.
  var validation: [Int]
  /// Nil when the source had no tests.
  var tests: [File]?

  /// The manifest as JSON; its last member is the CRC-32 of the others' compact text.
  var json: JSON {
    var members: [(String, JSON)] = [
      ("format", .string(Self.format)),
      ("version", .integer(version)),
      ("n_mels", .integer(bands)),
    ]
    if let recipe { members.append(("recipe", recipe.json)) }
    members += [
      ("fingerprint", .string(String(fingerprint, radix: 16))),
      ("utterances", .integer(shards.reduce(0) { $0 + $1.utterances })),
      ("speakers", .array(speakers.map(JSON.string))),
      ("shards", .array(shards.map(\.json))),
    ]
    if !validation.isEmpty { members.append(("validation", .array(validation.map(JSON.integer)))) }
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

  private var version: Int { MelFileHeader.version(bands: bands, hasRecipe: recipe != nil) }

  init(_ plan: PackPlan, shards: [File], tests: [File]?) {
    (bands, recipe, fingerprint, speakers) = (plan.bands, plan.recipe, plan.fingerprint, plan.speakers)
    self.shards = shards
    validation = plan.validation
    self.tests = tests
  }

  /// Reads and checks a manifest: what is accepted equals, as JSON, what `json` gives for it.
  init(reading path: String) throws {
    let file = try JSONFile(reading: path)
    guard file.root["format"]?.string == Self.format else {
      throw file.failure("format", "is not \"\(Self.format)\": this is no packed corpus")
    }
    let versions = 1...MelFileHeader.version
    guard let version = file.root["version"]?.int, versions.contains(version) else {
      throw file.failure(
        "version",
        "must be \(versions.lowerBound) or \(versions.upperBound), which this program reads: pack again")
    }
    guard let bands = file.root["n_mels"]?.int, (1...FeatureSettings.mostBands).contains(bands) else {
      throw file.failure("n_mels", "must be 1 to \(FeatureSettings.mostBands), the mel bands of a frame")
    }
    self.bands = bands
    recipe = try file.root["recipe"].map { try FeatureRecipe(text: $0.serialized(), from: path) }
    guard let fingerprint = file.root["fingerprint"]?.string.flatMap({ UInt64($0, radix: 16) }) else {
      throw file.failure("fingerprint", "must be a hexadecimal number")
    }
    self.fingerprint = fingerprint
    guard recipe?.isOf(bands: bands) ?? true else {
      throw file.failure(
        "n_mels", "is \(bands), but the recipe says otherwise: the file is damaged; pack again")
    }
    speakers = try file.array("speakers").map { name in
      guard let name = name.string else { throw file.failure("speakers", "must be a list of strings") }
      return name
    }
    shards = try Self.files(file, "shards")
    validation = try file.root["validation"] == nil ? [] : Self.validation(file)
    tests = file.root["tests"] == nil ? nil : try Self.files(file, "tests")
    guard file.root == json else {
      throw file.failure("checksum", "does not fit the rest: the file is damaged or was edited; pack again")
    }
    guard !shards.isEmpty, tests.map({ $0.count == shards.count }) ?? true else {
      throw file.failure("shards", "must list at least one file, and as many as tests")
    }
  }

  private static func validation(_ file: JSONFile) throws -> [Int] {
    var last = -1
    return try file.array("validation").map { entry in
      guard let utterance = entry.int, utterance > last else {
        throw file.failure("validation", "must list utterances by their numbers, ascending")
      }
      last = utterance
      return utterance
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
