import Collectives
import Diagnostics
import Foundation

/// How many threads a process computes with.
public enum ThreadCount {
  private static let most = 1_024

  /// What was asked for, or this process's share of the cores it may run on.
  ///
  /// Collective: the processes of one machine share its cores evenly.
  ///
  /// - Throws: `usage` for less than one thread, or more than any machine has use for.
  public static func resolve<C: Communicator>(_ asked: Int?, _ group: C) throws -> Int {
    let hosts = try group.allGather(text: group.hostName)
    if let asked {
      guard (1...most).contains(asked) else {
        throw Failure(.usage, "--threads: expected 1 to \(most), found \(asked)")
      }
      return asked
    }
    let neighbours = hosts.count { $0 == group.hostName }
    return max(1, ProcessInfo.processInfo.activeProcessorCount / neighbours)
  }
}
