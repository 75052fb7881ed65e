import Collectives
import Diagnostics

extension GradientsJob {
  /// Does the work of `gradients`.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    throw Failure(.internalError, "gradients is not part of this build")
  }
}
