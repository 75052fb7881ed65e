import Collectives
import Diagnostics

extension Conformance {
  static var agreementChecks: [Check] {
    [
      Check(name: "ranks that all succeed keep their results") { group in
        try expect(try group.agreeing { group.rank * 3 } == group.rank * 3, "another result")
      },
      Check(name: "a failure on one rank is every rank's") { group in
        for failing in 0..<group.size {
          let failure = try thrown(by: group) {
            if group.rank == failing { throw Failure(.badData, "shard \(failing) is cut short") }
          }
          try expect(failure.kind == .badData, "kind \(failure.kind)")
          let hosts = try group.allGather(text: group.hostName)
          let wanted =
            group.size == 1
            ? "shard 0 is cut short" : "rank \(failing) on \(hosts[failing]): shard \(failing) is cut short"
          try expect(failure.message == wanted, "message '\(failure.message)', not '\(wanted)'")
        }
      },
      Check(name: "of several failures the lowest rank's counts") { group in
        let failure = try thrown(by: group) {
          if group.rank >= group.size / 2 {
            throw Failure(group.rank == group.size / 2 ? .missingInput : .usage, "on \(group.rank)")
          }
        }
        try expect(failure.kind == .missingInput, "kind \(failure.kind)")
        try expect(failure.message.hasSuffix("on \(group.size / 2)"), "message '\(failure.message)'")
      },
      Check(name: "a failure that all ranks share names none") { group in
        let failure = try thrown(by: group) { throw Failure(.usage, "no such key: a.b") }
        try expect(failure == Failure(.usage, "no such key: a.b"), "failure '\(failure)'")
      },
      Check(name: "an unknown error becomes an internal one") { group in
        let failure = try thrown(by: group) { throw Odd() }
        try expect(failure.kind == .internalError && failure.message.contains("Odd"), "failure '\(failure)'")
      },
    ]
  }
}

/// An error that is no `Failure`.
private struct Odd: Error {}

/// What `agreeing` throws, which it must.
private func thrown<C: Communicator>(by group: C, _ body: () throws -> Void) throws -> Failure {
  do {
    try group.agreeing(body)
  } catch let failure as Failure {
    return failure
  }
  throw Failure(.internalError, "ranks do not agree on a failure")
}
