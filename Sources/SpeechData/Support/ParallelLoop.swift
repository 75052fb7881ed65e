import Dispatch
import Synchronization
import Threads

/// A loop whose iterations run on several threads, with the errors of a loop that ran on one.
///
/// Iterations start in order. When some throw, the error of the lowest index is the one rethrown, whatever the
/// threads: nothing above a failed index is started any more, and everything below it is finished.
///
/// - Parameters:
///   - count: iterations.
///   - threads: how many run at a time; they are started for this call and joined before it returns.
///   - total: what `progress` counts up to; iterations report to it through their `Progress`.
///   - progress: called on the calling thread, about ten times a second and once at the end of a loop that
///     did not throw.
///   - scratch: makes what one thread reuses from iteration to iteration, such as a buffer.
///   - body: one iteration.
func parallelLoop<Scratch>(
  count: Int, threads: Int, total: Int, progress: (_ done: Int, _ total: Int) -> Void,
  scratch makeScratch: @escaping @Sendable () -> Scratch,
  body: @escaping @Sendable (_ index: Int, _ scratch: inout Scratch, _ done: Progress) throws -> Void
) throws {
  let state = LoopState()
  let finished = DispatchSemaphore(value: 0)
  var running = 0
  for _ in 0..<min(max(1, threads), count) {
    let work = { @Sendable in
      var scratch = makeScratch()
      while let index = state.nextIndex(below: count) {
        do { try body(index, &scratch, state.progress) } catch { state.record(error, at: index) }
      }
      finished.signal()
    }
    // No thread to be had (a limit on processes): the work is done here instead.
    if !startDetachedThread(work) { work() }
    running += 1
  }
  while running > 0 {
    if finished.wait(timeout: .now() + .milliseconds(100)) == .success { running -= 1 }
    if running > 0 { progress(state.progress.done, total) }
  }
  if let error = state.firstError { throw error }
  progress(total, total)
}

/// How much of a parallel loop is done; any thread may add to it.
final class Progress: Sendable {
  private let counter = Atomic(0)

  /// Counts `amount` more as done.
  func advance(by amount: Int = 1) { counter.wrappingAdd(amount, ordering: .relaxed) }

  fileprivate var done: Int { counter.load(ordering: .relaxed) }
}

private final class LoopState: Sendable {
  let progress = Progress()
  private let next = Atomic(0)
  /// Iterations from here on are not started any more: the lowest index that failed.
  private let end = Atomic(Int.max)
  private let failure = Mutex<(index: Int, error: any Error)?>(nil)

  func nextIndex(below count: Int) -> Int? {
    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
    return index < min(count, end.load(ordering: .relaxed)) ? index : nil
  }

  func record(_ error: any Error, at index: Int) {
    failure.withLock { first in
      guard index < first?.index ?? .max else { return }
      first = (index, error)
      end.store(index, ordering: .relaxed)
    }
  }

  var firstError: (any Error)? { failure.withLock { $0?.error } }
}
