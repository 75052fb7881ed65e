import Collectives
import Diagnostics

extension BenchJob {
  /// Does the work of `bench`.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    throw Failure(.internalError, "bench is not part of this build")
  }
}
