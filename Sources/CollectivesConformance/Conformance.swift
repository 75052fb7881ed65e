import Collectives
import Diagnostics

/// What every `Communicator` must do, as named checks: run by the tests over one process and over threads, and by
/// `collectives-check` over MPI.
public struct Conformance<C: Communicator>: Sendable {
  /// One promise of `Communicator`, or of what is built on it.
  public struct Check: Sendable {
    /// What is checked, for the log.
    public let name: String
    /// Makes collective calls; throws a `Failure` where the result is wrong.
    public let run: @Sendable (C) throws -> Void
  }

  /// All checks, simple ones first.
  public let checks: [Check]

  /// The whole suite.
  public init() {
    checks = Self.blockingChecks + Self.exchangeChecks + Self.reductionChecks + Self.agreementChecks
  }

  /// Runs all checks; every rank of the group calls it.
  ///
  /// - Parameter passed: called on every rank with the name of each check that passed on all.
  /// - Throws: on the rank where a check failed, a `Failure` naming the check. The other ranks may be waiting in it:
  ///   the caller ends the group.
  public func run(on communicator: C, passed: (String) -> Void = { _ in }) throws {
    for check in checks {
      do {
        try check.run(communicator)
        try communicator.barrier()
      } catch let failure as Failure {
        throw Failure(failure.kind, "\(check.name): \(failure.message)")
      }
      passed(check.name)
    }
  }
}

/// Throws with this message, and where, unless `condition` holds.
func expect(
  _ condition: Bool, _ message: @autoclosure () -> String, line: Int = #line, file: String = #fileID
) throws(Failure) {
  if !condition { throw Failure(.internalError, "\(message()) (\(file):\(line))") }
}

/// Throws, naming the first element that differs in any bit.
func expectSameBits(
  _ found: some Collection<Float>, _ wanted: some Collection<Float>, _ what: @autoclosure () -> String,
  line: Int = #line, file: String = #fileID
) throws(Failure) {
  if let difference = firstDifference(found, wanted) {
    throw Failure(.internalError, "\(what()): \(difference) (\(file):\(line))")
  }
}

/// The first element that differs in any bit, in words; nil when all are the same.
public func firstDifference(_ found: some Collection<Float>, _ wanted: some Collection<Float>) -> String? {
  if found.count != wanted.count { return "\(found.count) elements, not \(wanted.count)" }
  for (index, (found, wanted)) in zip(found, wanted).enumerated() where found.bitPattern != wanted.bitPattern
  {
    return "element \(index) is \(found), not \(wanted)"
  }
  return nil
}
