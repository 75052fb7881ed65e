import Collectives
import Diagnostics

extension EvaluateJob {
  /// Does the work of `evaluate`.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    throw Failure(.internalError, "evaluate is not part of this build")
  }
}
