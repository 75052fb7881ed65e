import Collectives
import CollectivesConformance
import Diagnostics
import Glibc
import MPITransport

/// Runs the conformance suite over MPI (`mpirun -n 4 collectives-check`), or over this process alone.
///
///     collectives-check           every check, a line each
///     collectives-check --abort R rank R aborts with status 7 while the others wait for it
///     collectives-check --fail R  rank R fails; all ranks end with its message and status
///     collectives-check --heartbeats
///                                 heartbeats between all ranks and rank 0, beside exchanges on another thread
///     collectives-check --threads N
///                                 the same with N ranks as threads of this process
@main
enum CollectivesCheck {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      let number = arguments.dropFirst().first.flatMap { Int($0) }
      if arguments.first == "--threads", let ranks = number, ranks > 0 {
        let rest = Array(arguments.dropFirst(2))
        exitProcess(try ThreadGroup.run(size: ranks) { try run($0, rest) }.max() ?? 0)
      }
      guard MPIGroup.launchedRank() != nil else { return end(SoloGroup(), arguments) {} }
      let group = try MPIGroup.start()
      end(group, arguments) { try group.finalize() }
    } catch {
      printLine("collectives-check: \(error)", toStandardError: true)
      exitProcess((error as? Failure)?.kind.rawValue ?? 1)
    }
  }

  private static func end<C: Communicator>(_ group: C, _ arguments: [String], finalize: () throws -> Void) {
    do {
      let status = try run(group, arguments)
      try finalize()
      exitProcess(status)
    } catch {
      printLine("rank \(group.rank): \(error)", toStandardError: true)
      group.abort(status: 1)
    }
  }

  private static func run<C: Communicator>(_ group: C, _ arguments: [String]) throws -> Int32 {
    let speaks = group.rank == 0
    switch (arguments.first, arguments.dropFirst().first.flatMap { Int($0) }) {
    case (nil, _):
      try Conformance<C>().run(on: group) { name in
        if speaks { printLine("ok: \(name)") }
      }
      if speaks { printLine("all checks passed on \(group.size) ranks (\(C.self))") }
    case ("--heartbeats", _):
      try checkHeartbeats(group)
      if speaks { printLine("heartbeats pass on \(group.size) ranks") }
    case ("--abort", let rank?):
      if group.rank == rank { group.abort(status: 7) }
      try group.barrier()
    case ("--fail", let rank?):
      do {
        try group.agreeing { if group.rank == rank { throw Failure(.badData, "shard \(rank) is cut short") } }
      } catch let failure as Failure {
        if speaks { printLine(failure.message) }
        return failure.kind.rawValue
      }
    default:
      throw Failure(
        .usage, "collectives-check [--threads N] [--heartbeats | --abort RANK | --fail RANK]")
    }
    return 0
  }
}

/// Writes a line at once, so that it is there even when the process is ended from outside.
func printLine(_ line: String, toStandardError: Bool = false) {
  var rest = Array((line + "\n").utf8)[...]
  while !rest.isEmpty {
    let written = rest.withUnsafeBytes { write(toStandardError ? 2 : 1, $0.baseAddress, $0.count) }
    if written <= 0 { return }
    rest = rest.dropFirst(written)
  }
}

/// Ends the process.
func exitProcess(_ status: Int32) -> Never { exit(status) }
