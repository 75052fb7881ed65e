import Foundation
import Synchronization

/// Whether somebody has asked the process to stop: by SIGTERM (a scheduler), SIGUSR1 (which mpirun forwards to
/// every rank), SIGINT (the keyboard) or SIGHUP (a terminal that was closed).
///
/// The handler only sets a flag; the trainer reads it each step, finishes the step, saves and ends with status
/// 75. A second SIGINT ends the process at once.
public enum StopRequest {
  private static let signal = Atomic<Int32>(0)
  /// Where the handler writes a byte, for the thread that speaks; -1 where nobody listens.
  private static let bell = Atomic<Int32>(-1)

  /// Installs the handlers. Called before MPI starts, so that mpirun's forwarding finds them.
  ///
  /// - Parameter onDelay: called once, on a thread of its own, with the name of the signal, when the process still runs
  ///   a moment after it: a step may take long, and whoever waits for the end should know what it is waiting for.
  public static func install(onDelay: (@Sendable (_ signal: String) -> Void)? = nil) {
    // The flags are made here, not in the handler: making a global is not async-signal-safe.
    clear()
    listen(onDelay)
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGTERM, SIGUSR1, SIGINT, SIGHUP] {
      // nohup: the terminal may go, the work stays.
      if number == SIGHUP, isIgnored(number) { continue }
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
    case SIGHUP: "SIGHUP"
    case let other: "signal \(other)"
    }
  }

  /// Forgets a request; for a process that goes on to other work.
  public static func clear() { signal.store(0, ordering: .relaxed) }

  /// What the handler does: async-signal-safe calls and atomics.
  private static func note(_ number: Int32) {
    let (isFirst, earlier) = signal.compareExchange(expected: 0, desired: number, ordering: .relaxed)
    if !isFirst, earlier == SIGINT, number == SIGINT { _exit(128 + SIGINT) }
    let descriptor = bell.load(ordering: .relaxed)
    guard isFirst, descriptor >= 0 else { return }
    let saved = errno
    _ = write(descriptor, "!", 1)
    errno = saved
  }

  private static func listen(_ onDelay: (@Sendable (String) -> Void)?) {
    var ends: [Int32] = [-1, -1]
    guard let onDelay, pipe(&ends) == 0 else { return }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    bell.store(ends[1], ordering: .relaxed)
    let end = ends[0]
    Thread.detachNewThread {
      var event = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
      while poll(&event, 1, -1) < 0, errno == EINTR {}
      Thread.sleep(forTimeInterval: delay)
      if let name { onDelay(name) }
    }
  }

  /// Seconds in which most steps are done and saved. Less than the second that mpirun gives after a SIGTERM.
  private static var delay: Double { 0.4 }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0, action.sa_flags & SA_SIGINFO == 0 else { return false }
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
      == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
