import Foundation
import Subprocess
import Synchronization

/// What happens to a launcher.
enum Event: Sendable {
  /// A signal has come that asks for an end.
  case signal(Int32)
  /// A quarter of a second has passed.
  case tick
  /// The hosts of the hostfile have answered: for each, why it cannot take part, if it cannot.
  case answers([String?])
  /// The job runs as that process.
  case started(pid_t)
  /// A line of the job's standard error, without its end.
  case line([UInt8], job: Int)
  /// Nothing more comes on a job's standard error.
  case silence(job: Int)
  /// The job has ended, with its status or 128 and the number of the signal that ended it.
  case ended(Int32)
  /// The job could not be started.
  case failed(String)
}

/// Where events come from. They are all taken from one stream, by one task.
struct EventSource: Sendable {
  private let stream: AsyncStream<Event>.Continuation

  /// - Parameter stream: where events go.
  init(_ stream: AsyncStream<Event>.Continuation) { self.stream = stream }

  /// Listens to signals and the clock, for as long as the process lives.
  func open() {
    var ends: [Int32] = [-1, -1]
    if pipe(&ends) == 0 {
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      Self.bell.store(ends[1], ordering: .relaxed)
      Self.readSignals(ends[0], stream)
    }
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGTERM, SIGINT, SIGUSR1, SIGHUP] {
      var action = sigaction()
      // nohup: the terminal may go, the training stays.
      if number == SIGHUP, sigaction(number, nil, &action) == 0,
        unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
          == unsafeBitCast(SIG_IGN, to: Int.self)
      {
        continue
      }
      sigaddset(&signals, number)
      action = sigaction()
      action.__sigaction_handler.sa_handler = { EventSource.note($0) }
      action.sa_flags = SA_RESTART
      sigaction(number, &action, nil)
    }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    Task {
      while true {
        try? await Task.sleep(for: .milliseconds(250))
        stream.yield(.tick)
      }
    }
  }

  /// Where the handler writes the number of a signal.
  private static let bell = Atomic<Int32>(-1)

  /// What the handler does: async-signal-safe calls alone.
  private static func note(_ number: Int32) {
    let saved = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(bell.load(ordering: .relaxed), &byte, 1)
    errno = saved
  }

  private static func readSignals(_ descriptor: Int32, _ stream: AsyncStream<Event>.Continuation) {
    Thread.detachNewThread {
      var byte: UInt8 = 0
      while true {
        let count = Foundation.read(descriptor, &byte, 1)
        if count == 1 { stream.yield(.signal(Int32(byte))) }
        if count == 0 || (count < 0 && errno != EINTR) { return }
      }
    }
  }

  /// Asks hosts; the answers are one event.
  func ask(_ probe: HostProbe, _ hosts: [Hostfile.Host]) {
    Task { stream.yield(.answers(await probe.ask(hosts))) }
  }

  /// Starts an mpirun, and tells what becomes of it.
  ///
  /// In a session of its own, so that the terminal's Ctrl-C comes to the launcher and not to mpirun, which would not let
  /// the ranks save. Where `setpriv` is there, it is asked to save and end should the launcher be killed.
  func start(_ words: [String], variables: [(name: String, value: String)], job: Int) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return yieldFailure(errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    read(ends[0], job: job)
    let guardian = MPICommand.find("setpriv", in: "/usr/bin:/bin")
    let words = (guardian.map { [$0, "--pdeathsig", "USR1"] } ?? []) + words
    let errors = ends[1]
    let environment = Environment.inherit.updating(
      Dictionary(uniqueKeysWithValues: variables.map { (Environment.Key(rawValue: $0.name)!, $0.value) }))
    var options = PlatformOptions()
    options.createSession = true
    Task { [options] in
      do {
        let result = try await run(
          .path(.init(words[0])), arguments: Arguments(Array(words.dropFirst())), environment: environment,
          platformOptions: options, input: .none, output: .currentStandardOutput,
          error: .fileDescriptor(.init(rawValue: errors), closeAfterSpawningProcess: true)
        ) { execution in
          stream.yield(.started(execution.processIdentifier.value))
        }
        switch result.terminationStatus {
        case .exited(let status): stream.yield(.ended(status))
        case .signaled(let number): stream.yield(.ended(128 + number))
        }
      } catch {
        stream.yield(.failed("\(error)"))
      }
    }
  }

  /// Reads a job's standard error on a thread of its own.
  private func read(_ descriptor: Int32, job: Int) {
    Thread.detachNewThread {
      var splitter = LineSplitter()
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = Foundation.read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { break }
        for line in splitter.take(buffer[..<count]) { stream.yield(.line(line, job: job)) }
      }
      if let line = splitter.finish() { stream.yield(.line(line, job: job)) }
      close(descriptor)
      stream.yield(.silence(job: job))
    }
  }

  private func yieldFailure(_ code: Int32) { stream.yield(.failed(String(cString: strerror(code)))) }
}
