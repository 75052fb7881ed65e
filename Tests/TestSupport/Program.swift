import Foundation
import Testing

/// The built program, run to its end as a user runs it.
package enum Program {
  /// What a run of it left.
  package struct Outcome: Sendable {
    /// The exit status, or 128 + the signal that ended it.
    package let status: Int32
    package let output: String
    package let errors: String

    /// The lines of standard error that are the program's own, without those of mpirun.
    package var errorLines: [String] { Program.errorLines(of: errors) }
  }

  /// `speakerid-dist`, as it was built with these tests.
  package static let path = path(of: "speakerid-dist")

  /// Another program of the package: SwiftPM builds all of them beside the tests.
  package static func path(of name: String) -> String {
    let tests =
      [URL(filePath: CommandLine.arguments[0]), URL(filePath: "/proc/self/exe")].map {
        $0.resolvingSymlinksInPath()
      } + Bundle.allBundles.map(\.bundleURL)
    let candidates = tests.map { $0.deletingLastPathComponent().appending(path: name).path }
    // What is not there is started all the same, and says so.
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0) } ?? candidates[0]
  }

  /// The repository, found from this file.
  package static let repository = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  /// Runs it alone, or under `mpirun` with that many ranks.
  ///
  /// - Parameters:
  ///   - folder: the working folder.
  ///   - variables: what its environment holds beside this process's.
  ///   - program: what is run in its place.
  ///   - seconds: when it counts as hanging; far beyond what anything takes on a busy machine.
  ///   - meanwhile: what is done while it runs.
  package static func run(
    _ arguments: [String], ranks: Int? = nil, in folder: String? = nil, variables: [String: String] = [:],
    program: String = path, within seconds: Double = 600, meanwhile: (Launch) throws -> Void = { _ in }
  ) throws -> Outcome {
    let launch = try Launch(arguments, ranks: ranks, in: folder, variables: variables, program: program)
    try meanwhile(launch)
    let status = try #require(
      launch.status(within: seconds), "it hangs: \(([program] + arguments).joined(separator: " "))")
    return Outcome(status: status, output: launch.output, errors: launch.errors)
  }

  fileprivate static func errorLines(of text: String) -> [String] {
    text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("error: ") }
  }
}

/// The built program in the middle of a run: what a test needs to disturb it, and to see it end.
package final class Launch {
  /// How long anything may take before it counts as hanging; far beyond what it takes on a busy machine.
  package static let patience = 120.0

  private let process = Process()
  private let scratch = TemporaryFolder()
  private let program: String
  private let isUnderMPI: Bool

  /// Starts it alone (`ranks` nil) or under `mpirun`.
  ///
  /// - Parameters:
  ///   - folder: the working folder.
  ///   - variables: what its environment holds beside this process's.
  ///   - program: what is started in its place.
  ///   - shell: a shell command that lowers a limit first.
  ///   - mpirun: the one to start it with.
  package init(
    _ arguments: [String], ranks: Int? = nil, in folder: String? = nil, variables: [String: String] = [:],
    program: String = Program.path, after shell: String? = nil, by mpirun: String = "mpirun"
  ) throws {
    self.program = program
    isUnderMPI = ranks != nil
    var command = [program] + arguments
    if let ranks {
      try Self.requireMPI()
      command = [mpirun, "-n", "\(ranks)"] + command
    }
    if let shell { command = ["bash", "-c", "\(shell); exec \"$@\"", "bash"] + command }
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.environment = ProcessInfo.processInfo.environment.merging([
      "COLUMNS": "100",
      // As root, with more ranks than cores, and not all ranks of a small job on one core.
      "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
      "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none",
    ]) { _, new in new }.merging(variables) { _, new in new }
    if let folder { process.currentDirectoryURL = URL(filePath: folder) }
    // Files, not pipes: nothing has to be read while it runs.
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try newFile("out")
    process.standardError = try newFile("err")
    try startWithoutSignalMask()
  }

  deinit {
    guard process.isRunning else { return }
    for rank in ranks { kill(rank, SIGKILL) }
    kill(process.processIdentifier, SIGKILL)
  }

  /// Standard output so far.
  package var output: String { scratch.text("out") ?? "" }
  /// Standard error so far.
  package var errors: String { scratch.text("err") ?? "" }
  /// The lines of standard error that are the program's own, without those of mpirun.
  package var errorLines: [String] { Program.errorLines(of: errors) }

  package var isRunning: Bool { process.isRunning }

  /// The program's processes: mpirun's children in the order of the ranks, or the process itself.
  package var ranks: [pid_t] {
    guard isUnderMPI else { return process.isRunning ? [process.processIdentifier] : [] }
    // cluster/env.sh puts a script before mpirun.
    let all = Processes.all
    let launchers =
      all.filter { $0.parent == process.processIdentifier }.map(\.id) + [process.processIdentifier]
    let children = all.filter { launchers.contains($0.parent) && $0.command.hasPrefix(program) }
    return children.map { (rank: Processes.rank(of: $0.id) ?? 0, id: $0.id) }
      .sorted { ($0.rank, $0.id) < ($1.rank, $1.id) }.map(\.id)
  }

  /// Sends a signal to what was started: mpirun, or the program alone.
  package func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// Waits for the end, but no longer than `seconds`.
  ///
  /// - Returns: the exit status (128 + the signal that ended it), or `nil` while it runs.
  package func status(within seconds: Double = Launch.patience) -> Int32? {
    guard wait(seconds, until: { !process.isRunning }) else { return nil }
    return process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
  }

  /// Looks again and again until something holds or the time is over.
  package func wait(_ seconds: Double = Launch.patience, until condition: () -> Bool) -> Bool {
    let end = Date(timeIntervalSinceNow: seconds)
    while !condition() {
      guard Date() < end else { return false }
      usleep(2_000)
    }
    return true
  }

  /// Starts it with no signal held back.
  ///
  /// Threads of the test runner hold signals back, and what they start inherits that: an `mpirun` so started
  /// never sees the signal it is to pass on.
  private func startWithoutSignalMask() throws {
    var none = sigset_t()
    var before = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try process.run()
  }

  private func newFile(_ name: String) throws -> FileHandle {
    try #require(FileHandle(forWritingAtPath: scratch.write("", to: name)))
  }

  private static func requireMPI() throws {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    try #require(
      folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/mpirun") },
      "mpirun is not on PATH: install openmpi-bin and libopenmpi-dev")
  }
}

/// What runs on this machine.
package enum Processes {
  package struct Entry: Sendable {
    package let id: pid_t, parent: pid_t
    package let command: String
  }

  package static var all: [Entry] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { name in
      guard let id = pid_t(name), let status = read("/proc/\(name)/stat"),
        let command = read("/proc/\(name)/cmdline"), let close = status.lastIndex(of: ")")
      else { return nil }
      let fields = status[status.index(after: close)...].split(separator: " ")
      guard fields.count > 1, let parent = pid_t(fields[1]) else { return nil }
      return Entry(id: id, parent: parent, command: command.replacingOccurrences(of: "\0", with: " "))
    }
  }

  /// The rank that `mpirun` gave to a process.
  package static func rank(of process: pid_t) -> Int? {
    let name = "OMPI_COMM_WORLD_RANK="
    return read("/proc/\(process)/environ")?.split(separator: "\0").first { $0.hasPrefix(name) }
      .flatMap { Int($0.dropFirst(name.count)) }
  }

  /// Whether a process still runs; a zombie, which nobody has buried, does not.
  package static func isAlive(_ process: pid_t) -> Bool {
    guard let status = read("/proc/\(process)/status") else { return false }
    return !status.contains("State:\tZ")
  }

  /// Whether no process has `text` on its command line, or soon none will have.
  package static func none(mention text: String) -> Bool {
    let end = Date(timeIntervalSinceNow: 20)
    while all.contains(where: { $0.command.contains(text) }) {
      guard Date() < end else { return false }
      usleep(10_000)
    }
    return true
  }

  private static func read(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
  }
}
