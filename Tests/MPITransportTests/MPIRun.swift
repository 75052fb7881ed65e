import Foundation
import Testing

/// `collectives-check` under a real `mpirun`, as built beside these tests.
struct MPIRun {
  let status: Int32
  /// Standard output and error, as they came.
  let output: String

  /// Runs to the end, or until `seconds` have passed: then mpirun ends the ranks, and `timeout` mpirun if need be.
  init(ranks: Int, _ arguments: [String] = [], seconds: Int = 240) throws {
    try self.init(
      ["timeout", "-k", "10", "\(seconds + 20)", "mpirun", "--timeout", "\(seconds)", "-n", "\(ranks)"]
        + [Self.program.path] + arguments)
  }

  /// Runs the program without `mpirun`.
  init(alone arguments: [String]) throws {
    try self.init(["timeout", "-k", "10", "240", Self.program.path] + arguments)
  }

  private init(_ command: [String]) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.environment = ProcessInfo.processInfo.environment.merging([
      // As root, with more ranks than cores, and not all ranks of a small job on one core.
      "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
      "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none",
    ]) { _, new in new }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    status = process.terminationStatus
  }

  /// Whether there is an `mpirun` to run; a test that needs one fails without it.
  static func requireMPI() throws {
    let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    try #require(
      path.contains { FileManager.default.isExecutableFile(atPath: "\($0)/mpirun") },
      "mpirun is not on PATH: install openmpi-bin and libopenmpi-dev")
  }

  private static var program: URL {
    get throws {
      // The tests are an executable in the folder of the products.
      let tests = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
      let beside =
        [tests.deletingLastPathComponent()]
        + Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
      let candidates = beside.map { $0.appending(path: "collectives-check") }
      return try #require(
        candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) },
        "collectives-check is not built beside \(tests.path)")
    }
  }
}
