import Audio
import Collectives
import Diagnostics
import Foundation
import TensorCore
import TensorFiles

/// `run.json`: who computed a run, with what and on which data, at each start of the program.
public struct RunStart: Equatable, Sendable {
  /// The data that a run is trained on.
  public struct DataSource: Equatable, Sendable {
    /// Its folder, an absolute path.
    public var path: String
    /// `Corpus.fingerprint`.
    public var fingerprint: UInt64
    /// Whether it is the corpus that the program makes itself, which is used without `--data`.
    public var isBuiltIn: Bool
    /// What its features were made of sound with; `nil` where nobody noted it.
    public var recipe: FeatureRecipe?

    /// - Parameter path: may be relative to the working folder.
    public init(path: String, fingerprint: UInt64, isBuiltIn: Bool, recipe: FeatureRecipe? = nil) {
      self.path = URL(fileURLWithPath: path).standardizedFileURL.path
      self.fingerprint = fingerprint
      self.isBuiltIn = isBuiltIn
      self.recipe = recipe
    }
  }

  /// One process of it.
  public struct Rank: Equatable, Sendable {
    /// The name of its machine.
    public var host: String
    /// Threads that it computes with.
    public var threads: Int
    /// Its kernels.
    public var kernels: String

    /// A rank of these.
    public init(host: String, threads: Int, kernels: String) {
      self.host = host
      self.threads = threads
      self.kernels = kernels
    }
  }

  /// When it was started: UTC, ISO 8601.
  public var time: String
  /// The version of the program.
  public var version: String
  /// The command line, word by word.
  public var command: [String]
  /// The folder it was given in.
  public var workingFolder: String
  /// The step that this start went on from; 0 for a new run.
  public var step: Int
  /// The data.
  public var data: DataSource
  /// All processes, by rank.
  public var ranks: [Rank]

  /// This start of the program.
  public init(step: Int, data: DataSource, ranks: [Rank]) {
    time = WallClock.utc(WallClock.now)
    version = programVersion
    command = CommandLine.arguments
    workingFolder = FileManager.default.currentDirectoryPath
    self.step = step
    self.data = data
    self.ranks = ranks
  }

  // MARK: The file

  /// The newest start of a run; `nil` where none was noted, as versions before did not.
  ///
  /// - Throws: `badData` when the file is not one of ``write(to:)``.
  public static func read(_ run: RunDirectory) throws -> RunStart? {
    guard FileSystem.exists(run.startFile) else { return nil }
    return try RunStart(JSON.read(path: run.startFile), file: run.startFile)
  }

  /// Puts this start before those that are noted in a run, atomically.
  ///
  /// - Parameter warn: gets a line when what is there cannot be read; it is then written anew.
  /// - Throws: `inputOutput`.
  public func write(to run: RunDirectory, warn: (String) -> Void) throws {
    var earlier: [JSON] = []
    if FileSystem.exists(run.startFile) {
      do {
        var last = try JSON.read(path: run.startFile).object ?? JSONObject()
        earlier = last["earlier_starts"]?.array ?? []
        last["format"] = nil
        last["earlier_starts"] = nil
        earlier.insert(.object(last), at: 0)
      } catch {
        warn("what it told of earlier starts is lost: \(Failure(describing: error).message)")
      }
    }
    var object = json
    object["earlier_starts"] = .array(earlier)
    try FileWriting.writeAtomically(
      Array((JSON.object(object).serialized(indent: 2) + "\n").utf8), to: run.startFile)
  }

  private static let formatVersion = 1

  private var json: JSONObject {
    JSONObject([
      ("format", .integer(Self.formatVersion)),
      ("time", .string(time)), ("version", .string(version)),
      ("command", .array(command.map(JSON.string))), ("working_folder", .string(workingFolder)),
      ("step", .integer(step)),
      (
        "data",
        [
          "path": .string(data.path),
          "fingerprint": .string(String(format: "%016llx", data.fingerprint)),
          "built_in": .bool(data.isBuiltIn), "recipe": data.recipe?.json ?? .null,
        ]
      ),
      ("ranks", .integer(ranks.count)), ("hosts", .array(ranks.map { .string($0.host) })),
      ("threads", .array(ranks.map { .integer($0.threads) })),
      ("kernels", .array(ranks.map { .string($0.kernels) })),
    ])
  }

  /// Reads what ``json`` wrote; `file` stands for it in messages.
  private init(_ json: JSON, file: String) throws {
    func field<Value>(_ key: String, _ value: Value?, _ expected: String) throws -> Value {
      guard let value else { throw Failure(.badData, "\(file): \(key): expected \(expected)") }
      return value
    }
    let format = try field("format", json["format"]?.int, "a number")
    guard format == Self.formatVersion else {
      throw Failure(
        .badData, "\(file): format \(format): this program reads format \(Self.formatVersion)")
    }
    time = try field("time", json["time"]?.string, "a time")
    version = try field("version", json["version"]?.string, "a text")
    command = try field("command", json["command"]?.array, "a list of words").compactMap(\.string)
    workingFolder = try field("working_folder", json["working_folder"]?.string, "a path")
    step = try field("step", json["step"]?.int, "a number")
    let source = json["data"]
    data = DataSource(
      path: try field("data.path", source?["path"]?.string, "a path"),
      fingerprint: try field(
        "data.fingerprint", source?["fingerprint"]?.string.flatMap { UInt64($0, radix: 16) },
        "16 hexadecimal digits"),
      isBuiltIn: try field("data.built_in", source?["built_in"]?.bool, "true or false"),
      recipe: try source?["recipe"].flatMap { recipe in
        recipe == .null ? nil : try FeatureRecipe(text: recipe.serialized(), from: "\(file): data.recipe")
      })
    let hosts = try field("hosts", json["hosts"]?.array, "a list of names").compactMap(\.string)
    let threads = try field("threads", json["threads"]?.array, "a list of numbers").compactMap(\.int)
    let kernels = try field("kernels", json["kernels"]?.array, "a list of names").compactMap(\.string)
    guard hosts.count == threads.count, hosts.count == kernels.count else {
      throw Failure(.badData, "\(file): hosts, threads and kernels: expected one of each for every rank")
    }
    ranks = hosts.indices.map { Rank(host: hosts[$0], threads: threads[$0], kernels: kernels[$0]) }
  }
}

extension RunDirectory {
  /// Who computed it; see ``RunStart``.
  public var startFile: String { "\(path)/run.json" }
}

/// What the ranks compute with, and whether it is the same and the best they have.
package struct KernelReport {
  /// One name a rank.
  package let names: [String]

  /// Starts OpenBLAS and asks every rank. Collective.
  package init<C: Communicator>(_ communicator: C) throws {
    KernelSet.start()
    names = try communicator.allGather(text: KernelSet.name)
  }

  /// Every rank, as `run.json` tells of it. Collective.
  func ranks<C: Communicator>(_ communicator: C, threads: Int) throws -> [RunStart.Rank] {
    let hosts = try communicator.allGather(text: communicator.hostName)
    let threads = try communicator.allGather(threads)
    return hosts.indices.map { RunStart.Rank(host: hosts[$0], threads: threads[$0], kernels: names[$0]) }
  }

  /// Says which kernels are in use; warns, once, of ranks that differ and of kernels that were forced.
  package func show(on console: Console) {
    guard console.talks else { return }
    console.info("Computing with \(names[0])")
    if let forced = KernelSet.measureForcedKernels(), forced.factor > 1.05 {
      console.warning(
        "OPENBLAS_CORETYPE forces \(forced.forced) kernels; this processor's own (\(forced.own)) are "
          + String(format: "%.1f", forced.factor) + " times as fast in large products: unset it")
    }
    let others = names.indices.filter { names[$0] != names[0] }
    guard !others.isEmpty else { return }
    let kinds = Set(others.map { names[$0] }).sorted().joined(separator: "; ")
    console.warning(
      "ranks \(others.map(String.init).joined(separator: ", ")) compute with other kernels (\(kinds)): the run goes"
        + " on, but its last bits are those of this mixture")
  }
}
