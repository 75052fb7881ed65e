import Foundation
import Threads

/// Writes what a step leaves to be saved on a thread of its own, while training goes on. Rank 0 alone needs one.
///
/// The files of one step at most are on their way: what a later step saves waits until those of the earlier one are
/// written, so that memory holds one copy of the state and a slow disk slows the run down rather than filling memory.
/// After a failure nothing more is written, so that the files that are whole stay the latest.
package final class BackgroundSaver: @unchecked Sendable {
  // Unchecked: everything below is read and written under the monitor.
  private let monitor = Monitor()
  private var jobs: [(step: Int, line: String?, write: @Sendable () throws -> Void)] = []
  private var lines: [String] = []
  private var failure: (any Error)?

  /// A saver with nothing to do.
  package init() {}

  /// Hands over something to write; jobs are done in order.
  ///
  /// - Parameters:
  ///   - step: the step that it belongs to; returns only when the jobs of other steps are done.
  ///   - line: what is to be said when it is written, by whoever asks with ``takeLines()``.
  ///   - write: writes it; must hold a copy of whatever training goes on to change.
  package func save(step: Int, saying line: String? = nil, _ write: @escaping @Sendable () throws -> Void) {
    let startsThread = monitor.withLock {
      while jobs.contains(where: { $0.step != step }) { monitor.wait() }
      jobs.append((step, line, write))
      return jobs.count == 1
    }
    if startsThread { Thread.detachNewThread { self.work() } }
  }

  /// Whether something could not be written; ``finish()`` tells what.
  package var hasFailed: Bool { monitor.withLock { failure != nil } }

  /// What is to be said of what has been written since the last call.
  package func takeLines() -> [String] {
    monitor.withLock {
      defer { lines = [] }
      return lines
    }
  }

  /// Returns when everything is written.
  ///
  /// - Throws: why something could not be.
  package func finish() throws {
    let failure = monitor.withLock {
      while !jobs.isEmpty { monitor.wait() }
      return self.failure
    }
    if let failure { throw failure }
  }

  /// The thread: until no job is left. A job stays in the list until it is done.
  private func work() {
    while let job = monitor.withLock({ jobs.first }) {
      let outcome = hasFailed ? nil : Result { try job.write() }
      let isLast = monitor.withLock {
        switch outcome {
        case .success: lines += job.line.map { [$0] } ?? []
        case .failure(let error): failure = error
        case nil: break
        }
        jobs.removeFirst()
        monitor.wakeAll()
        return jobs.isEmpty
      }
      // The next job starts a thread of its own.
      if isLast { return }
    }
  }
}
