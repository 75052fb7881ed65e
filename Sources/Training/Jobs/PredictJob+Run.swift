import Collectives
import Diagnostics

extension PredictJob {
  /// Does the work of `predict`.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    throw Failure(.internalError, "predict is not part of this build")
  }
}
