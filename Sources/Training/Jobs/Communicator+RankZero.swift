import Collectives
import Diagnostics

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
}
