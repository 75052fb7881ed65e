import Collectives
import Diagnostics
import Foundation
import TensorFiles

/// The version of the program, as `--version` and every run's `run.json` say it.
public let programVersion = "0.1.0"

/// The work of one subcommand: its options, and what is done with them.
///
/// A job is a plain value that knows neither flags nor terminals nor MPI, so tests run it as the command line
/// does, over any communicator.
public protocol Job: Sendable {
  /// Does the work; every rank of the communicator calls it with equal options.
  ///
  /// - Parameter console: talks on rank 0 alone.
  /// - Throws: a `Failure`, the same on all ranks.
  func run<C: Communicator>(_ communicator: C, console: Console) throws
}

extension Communicator {
  /// Runs `body` on rank 0 alone, for what only one process is to read or write.
  ///
  /// Collective; `body` must make no collective calls.
  ///
  /// - Returns: what `body` returns, on rank 0; `nil` elsewhere.
  /// - Throws: on every rank, what `body` throws.
  public func onRankZero<Value>(_ body: () throws -> Value) throws -> Value? {
    let outcome = rank == 0 ? Result(catching: body) : nil
    var failure: Failure?
    if case .failure(let error) = outcome { failure = Failure(describing: error) }
    let status = try allGather(failure?.kind.rawValue ?? 0)[0]
    guard status != 0 else { return try outcome?.get() }
    let message = try allGather(text: failure?.message ?? "")[0]
    throw Failure(Failure.Kind(rawValue: status) ?? .internalError, message)
  }

  /// A value of rank 0 on every rank, by way of a JSON text. Collective.
  ///
  /// - Parameters:
  ///   - mine: the value, on rank 0; passed over elsewhere.
  ///   - write: the value as JSON.
  ///   - read: the value that `write` wrote.
  /// - Returns: `nil` on every rank if rank 0 has none.
  func sharedFromRankZero<Value>(
    _ mine: Value?, as write: (Value) -> JSON, _ read: (JSON) throws -> Value
  ) throws -> Value? {
    let text = rank == 0 ? mine.map { write($0).serialized() } ?? "" : ""
    let shared = try allGather(text: text)[0]
    return shared.isEmpty ? nil : try read(JSON.parse(Array(shared.utf8), name: "rank 0"))
  }
}

/// How many threads a process computes with.
public enum ThreadCount {
  private static let most = 1_024

  /// What was asked for, or this process's share of the cores it may run on.
  ///
  /// Collective: the processes of one machine share its cores evenly.
  ///
  /// - Throws: `usage` for less than one thread, or more than any machine has use for.
  public static func resolve<C: Communicator>(_ asked: Int?, _ communicator: C) throws -> Int {
    let hosts = try communicator.allGather(text: communicator.hostName)
    if let asked {
      guard (1...most).contains(asked) else {
        throw Failure(.usage, "--threads: expected 1 to \(most), found \(asked)")
      }
      return asked
    }
    let neighbours = hosts.count { $0 == communicator.hostName }
    return max(1, ProcessInfo.processInfo.activeProcessorCount / neighbours)
  }
}
