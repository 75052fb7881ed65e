import SpeakerNet
import TensorCore

/// Threads that evaluate utterances, each in a workspace of its own.
package final class EvaluationTeam {
  /// Memory a workspace keeps after a very long utterance, in bytes.
  private static let keptMemory = 64 << 20

  private let team: ThreadTeam
  private let workspaces: [Workspace]

  package init(threads: Int) {
    team = ThreadTeam(workers: threads, seats: threads)
    workspaces = (0..<threads).map { _ in Workspace() }
  }

  /// Calls `body` once for each item; a result depends on its item alone, so it does not matter on which thread.
  ///
  /// - Parameter done: called after each item, by one thread at a time.
  /// - Throws: the error of the first item, in order, that failed.
  func forEach(
    _ count: Int, done: () -> Void = {}, _ body: (_ item: Int, _ workspace: Workspace) throws -> Void
  ) throws {
    var failure: (item: Int, error: any Error)?
    team.forEach(count) { item, worker in
      do {
        try body(item, workspaces[worker])
        team.withLock { done() }
      } catch {
        team.withLock { if failure == nil || failure!.item > item { failure = (item, error) } }
      }
      workspaces[worker].arena.trim(keeping: Self.keptMemory)
    }
    if let failure { throw failure.error }
  }
}
