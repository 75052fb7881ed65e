import Foundation
import Synchronization

/// Whether somebody has asked the process to stop: by SIGTERM (a scheduler), SIGUSR1 (which mpirun forwards to
/// every rank) or SIGINT (the keyboard).
///
/// The handler only sets a flag; the trainer reads it each step, finishes the step, saves and ends with status
/// 75. A second SIGINT ends the process at once.
public enum StopRequest {
  private static let signal = Atomic<Int32>(0)

  /// Installs the handlers. Called before MPI starts, so that mpirun's forwarding finds them.
  public static func install() {
    // The flag is made here, not in the handler: making a global is not async-signal-safe.
    clear()
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGTERM, SIGUSR1, SIGINT] {
      sigaddset(&signals, number)
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { StopRequest.note($0) }
      action.sa_flags = SA_RESTART
      sigaction(number, &action, nil)
    }
    // Whoever started the process may have held them back.
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// Whether a signal has come.
  public static var isMade: Bool { signal.load(ordering: .relaxed) != 0 }

  /// The name of the signal that has come first, for a message.
  public static var name: String? {
    switch signal.load(ordering: .relaxed) {
    case 0: nil
    case SIGTERM: "SIGTERM"
    case SIGUSR1: "SIGUSR1"
    case SIGINT: "SIGINT"
    case let other: "signal \(other)"
    }
  }

  /// Forgets a request; for a process that goes on to other work.
  public static func clear() { signal.store(0, ordering: .relaxed) }

  /// What the handler does: async-signal-safe calls and one atomic exchange.
  private static func note(_ number: Int32) {
    let (isFirst, earlier) = signal.compareExchange(expected: 0, desired: number, ordering: .relaxed)
    if !isFirst, earlier == SIGINT, number == SIGINT { _exit(128 + SIGINT) }
  }
}
