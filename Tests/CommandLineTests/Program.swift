import Foundation
import Synchronization
import Testing

/// The built program, run as a user runs it.
enum Program {
  /// What a run of it left.
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String

    /// The lines of standard error that are the program's own, without those of mpirun.
    var errorLines: [String] {
      errors.split(separator: "\n").map(String.init).filter { $0.hasPrefix("error: ") }
    }
  }

  /// Beside the tests, where SwiftPM builds both.
  static let path: String = {
    let folder = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
      .deletingLastPathComponent()
    return folder.appendingPathComponent("speakerid-dist").path
  }()

  /// The repository, found from this file.
  static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  /// Runs it alone, or under `mpirun` with that many ranks.
  ///
  /// - Parameters:
  ///   - folder: the working folder.
  ///   - variables: what its environment holds beside this process's.
  ///   - program: what is run in its place.
  ///   - meanwhile: what is done while it runs.
  static func run(
    _ arguments: [String], ranks: Int? = nil, in folder: String? = nil, variables: [String: String] = [:],
    program path: String = path, meanwhile: (Process) -> Void = { _ in }
  ) throws -> Outcome {
    let process = Process()
    var environment = ProcessInfo.processInfo.environment
    environment["COLUMNS"] = "100"
    environment.merge(variables) { _, new in new }
    if let ranks {
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["mpirun", "-n", "\(ranks)", path] + arguments
      environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
      environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
      environment["OMPI_MCA_rmaps_base_oversubscribe"] = "1"
      environment["OMPI_MCA_hwloc_base_binding_policy"] = "none"
    } else {
      process.executableURL = URL(fileURLWithPath: path)
      process.arguments = arguments
    }
    process.environment = environment
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    // Files, not pipes: nothing has to be read while it runs.
    let scratch = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    let files = try ["out", "err"].map { name in
      _ = FileManager.default.createFile(atPath: "\(scratch)/\(name)", contents: nil)
      return try #require(FileHandle(forWritingAtPath: "\(scratch)/\(name)"))
    }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = files[0]
    process.standardError = files[1]
    try process.runWithoutSignalMask()
    meanwhile(process)
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus,
      output: try String(contentsOfFile: "\(scratch)/out", encoding: .utf8),
      errors: try String(contentsOfFile: "\(scratch)/err", encoding: .utf8))
  }
}

extension Process {
  /// Starts it with no signal held back.
  ///
  /// Threads of the test runner hold signals back, and what they start inherits that: an `mpirun` so started
  /// never sees the signal it is to pass on.
  func runWithoutSignalMask() throws {
    var none = sigset_t()
    var before = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try run()
  }
}

/// A folder that goes away with its test.
final class ScratchFolder: Sendable {
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("speakerid-\(UUID().uuidString)")
    .path

  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// One that tests share: it goes away with the process.
  static func shared() throws -> ScratchFolder {
    let folder = try ScratchFolder()
    sharedPaths.withLock { $0.append(folder.path) }
    _ = removal
    return folder
  }

  private static let sharedPaths = Mutex<[String]>([])
  private static let removal = atexit {
    for path in ScratchFolder.sharedPaths.withLock({ $0 }) {
      try? FileManager.default.removeItem(atPath: path)
    }
  }

  /// Writes a file and returns its path.
  func file(_ name: String, _ text: String) throws -> String {
    try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
    return "\(path)/\(name)"
  }
}
