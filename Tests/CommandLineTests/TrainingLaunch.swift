import Foundation
import Testing

/// The built program in the middle of a run: what a test needs to disturb it, and to see it end.
final class Launch {
  /// How long anything may take before it counts as hanging; far beyond what it takes on a busy machine.
  static let patience = 120.0

  private let process = Process()
  private let scratch: ScratchFolder
  private let isUnderMPI: Bool

  /// Starts it alone (`ranks` nil) or under `mpirun`.
  ///
  /// - Parameter shell: a shell command that lowers a limit first.
  init(_ arguments: [String], ranks: Int? = nil, after shell: String? = nil) throws {
    scratch = try ScratchFolder()
    isUnderMPI = ranks != nil
    var command = [Program.path] + arguments
    if let ranks { command = ["mpirun", "-n", "\(ranks)"] + command }
    if let shell { command = ["bash", "-c", "\(shell); exec \"$@\"", "bash"] + command }
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.environment = ProcessInfo.processInfo.environment.merging([
      "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
      "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_hwloc_base_binding_policy": "none",
    ]) { _, new in new }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try Self.newFile("\(scratch.path)/out")
    process.standardError = try Self.newFile("\(scratch.path)/err")
    try process.runWithoutSignalMask()
  }

  deinit {
    guard process.isRunning else { return }
    for rank in ranks { kill(rank, SIGKILL) }
    kill(process.processIdentifier, SIGKILL)
  }

  /// Standard output so far.
  var output: String { (try? String(contentsOfFile: "\(scratch.path)/out", encoding: .utf8)) ?? "" }
  /// The lines of standard error that are the program's own, without those of mpirun.
  var errorLines: [String] {
    let text = (try? String(contentsOfFile: "\(scratch.path)/err", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("error: ") }
  }

  /// The program's processes: mpirun's children, or the process itself.
  var ranks: [pid_t] {
    guard isUnderMPI else { return process.isRunning ? [process.processIdentifier] : [] }
    return Processes.all.filter { $0.parent == process.processIdentifier && $0.isOurs }.map(\.id).sorted()
  }

  /// Sends a signal to what was started: mpirun, or the program alone.
  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// Waits for the end, but no longer than `seconds`.
  ///
  /// - Returns: the exit status (128 + the signal that ended it), or `nil` while it runs.
  func status(within seconds: Double = Launch.patience) -> Int32? {
    guard wait(seconds, until: { !process.isRunning }) else { return nil }
    return process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
  }

  /// Looks again and again until something holds, the program has ended or the time is over.
  func wait(_ seconds: Double = Launch.patience, until condition: () -> Bool) -> Bool {
    let end = Date(timeIntervalSinceNow: seconds)
    while !condition() {
      guard Date() < end else { return false }
      usleep(2_000)
    }
    return true
  }

  private static func newFile(_ path: String) throws -> FileHandle {
    _ = FileManager.default.createFile(atPath: path, contents: nil)
    return try #require(FileHandle(forWritingAtPath: path))
  }
}

/// What runs on this machine.
enum Processes {
  struct Entry {
    let id: pid_t, parent: pid_t
    let command: String
    /// Whether it is this program, not a launcher with the program's name among its arguments.
    var isOurs: Bool { command.hasPrefix(Program.path) }
  }

  static var all: [Entry] {
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

  /// Whether no process has `text` on its command line, or soon none will have.
  static func none(mention text: String) -> Bool {
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
