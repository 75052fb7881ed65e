import Collectives
import Diagnostics

extension TrainJob {
  /// Does the work of `train`.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    _ = try resolveConfiguration(group, console: console)
    throw Failure(.internalError, "train is not part of this build")
  }
}
