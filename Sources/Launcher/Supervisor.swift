import Diagnostics
import Foundation

/// Sees to it that a training is finished: starts it, waits for it, and starts it again.
public struct Supervisor {
  private let options: LaunchOptions
  private let command: MPICommand
  private let all: Hostfile?
  private let probe: HostProbe
  private let source: EventSource
  private var events: AsyncStream<Event>.Iterator

  private var policy: RestartPolicy
  private var run: ObservedRun
  /// Whether the run may be gone on with: it was begun here, or is meant by `--continue`. One that was there before is the
  /// program's to refuse.
  private var ownsRun: Bool
  private var hosts: Hostfile?
  private var jobs = 0
  private var stop: Stop?

  /// A request to end.
  private struct Stop {
    let name: String
    let time: Double
    var grace: Double
    var isEnforced = false
  }

  /// Does what `launch` is asked for, and ends the process with its status.
  ///
  /// - Throws: why nothing could be started.
  public static func launch(_ options: LaunchOptions) throws(Failure) -> Never {
    let environment = ProcessInfo.processInfo.environment
    let configured = "\(environment["HOME"] ?? "")/.openmpi/mca-params.conf"
    let command = try MPICommand(
      environment: environment, configured: (try? String(contentsOfFile: configured, encoding: .utf8)) ?? "",
      interfaces: options.interfaces)
    var hosts: Hostfile?
    if let file = options.hostfile { hosts = try Hostfile(path: file) }
    if options.dryRun {
      let run = ObservedRun(path: options.training.run)
      let words =
        options.continues && run.isThere ? options.training.goingOn(with: nil) : options.training.words
      print(command.text(ranks: options.ranks, hostfile: options.hostfile, arguments: words))
      exit(0)
    }
    let probe = HostProbe(environment: environment, program: command.program)
    Task { [hosts] in
      var supervisor = Supervisor(options, command, hosts, probe)
      exit(await supervisor.supervise())
    }
    // Not dispatchMain(), which would end the main thread and leave a process that looks defunct.
    while true { sleep(3600) }
  }

  private init(_ options: LaunchOptions, _ command: MPICommand, _ hosts: Hostfile?, _ probe: HostProbe) {
    self.options = options
    self.command = command
    self.probe = probe
    all = hosts
    self.hosts = hosts
    let (stream, continuation) = AsyncStream<Event>.makeStream()
    events = stream.makeAsyncIterator()
    source = EventSource(continuation)
    policy = RestartPolicy(maxRestarts: options.training.trains ? options.maxRestarts : 0)
    run = ObservedRun(path: options.training.run)
    ownsRun = options.continues || !run.isThere
  }

  /// - Returns: the status of the launcher.
  private mutating func supervise() async -> Int32 {
    source.open()
    while true {
      let ending: RestartPolicy.Ending
      if await chooseHosts() {
        ending = await runJob()
      } else {
        if stop != nil { return endStopped(Failure.Kind.interrupted.rawValue) }
        guard jobs > 0 else {
          say("error: not enough hosts answer to start \(count(options.ranks))")
          return Failure.Kind.unavailable.rawValue
        }
        ending = .init(status: Failure.Kind.unavailable.rawValue, hasBegun: false, step: run.lastStep)
      }
      if stop != nil, ending.status != 0, ending.status != Failure.Kind.interrupted.rawValue {
        return endStopped(ending.status)
      }
      switch policy.decide(after: ending) {
      case .end(let status, let reason):
        // Of a killed mpirun nobody else says anything.
        if status != 0, jobs > 1 || reason != nil || ending.status > 128 { sayEnding(ending) }
        if let reason { say(reason) }
        return status
      case .restart(let number, let seconds):
        sayEnding(ending)
        say("restart \(number) of \(options.maxRestarts) in \(seconds) s")
        await pause(Double(seconds))
        if stop != nil { return endStopped(Failure.Kind.interrupted.rawValue) }
      }
    }
  }

  private func sayEnding(_ ending: RestartPolicy.Ending) {
    say("the training failed (\(RestartPolicy.describe(ending.status))); \(run.progress)")
  }

  /// After a stop that saved nothing.
  private func endStopped(_ status: Int32) -> Int32 {
    let name = stop?.name ?? "a signal"
    if run.isThere, let path = run.path {
      say("ended by \(name) without saving; \(run.progress): go on with --resume --run \(path)")
    } else {
      say("stopped by \(name), before there was a run")
    }
    return RestartPolicy.statusOfStop(status)
  }

  // MARK: Hosts

  /// Asks all hosts whether they answer, and keeps those that do.
  ///
  /// - Returns: false when none does or, at the first start, when the others are too few.
  private mutating func chooseHosts() async -> Bool {
    guard let all else { return stop == nil }
    source.ask(probe, all.hosts)
    var answers: [String?]?
    while answers == nil, stop == nil {
      switch await events.next() {
      case .answers(let some): answers = some
      case .signal(let number): hear(number)
      default: break
      }
    }
    guard let answers else { return false }
    for (host, objection) in zip(all.hosts, answers) {
      if let objection { say("\(host.name) is left out: \(objection)") }
    }
    hosts = all.keeping(answers.indices.filter { answers[$0] == nil })
    guard let hosts else { return false }
    return jobs > 0 || hosts.hosts.count == all.hosts.count
      || hosts.ranks(asked: options.ranks, of: all) == options.ranks
  }

  // MARK: One job

  /// Runs an mpirun to its end.
  private mutating func runJob() async -> RestartPolicy.Ending {
    let ranks = all.flatMap { all in hosts.map { $0.ranks(asked: options.ranks, of: all) } } ?? options.ranks
    let file: String?
    do {
      file = try hosts.map { try Self.temporaryFile($0.text) }
    } catch {
      say("error: \(error)")
      return .init(status: Failure.Kind.inputOutput.rawValue, hasBegun: false, step: run.lastStep)
    }
    defer { file.map { _ = unlink($0) } }
    // A run that is overwritten is this one's as soon as the training has begun in its place.
    let isOwn = ownsRun || options.training.overwrites && run.begunStep != nil
    let goesOn = options.training.trains && run.isThere && isOwn && (jobs > 0 || options.continues)
    let words = goesOn ? options.training.goingOn(with: run.path) : options.training.words
    jobs += 1
    if jobs > 1 { say("starting \(count(ranks))\(hosts.map { " on \($0.names)" } ?? "")") }
    source.start(
      command.words(ranks: ranks, hostfile: file, arguments: words), variables: command.variables, job: jobs)
    return await attend()
  }

  /// Waits for the end of the job that was started: shows what it says, and passes on what it is asked.
  private mutating func attend() async -> RestartPolicy.Ending {
    var relay = ErrorRelay()
    var process: pid_t?
    var hasBegun = false
    var status: Int32?
    var isSilent = false
    var end = Double.infinity
    // The last process that writes to standard error has ended a second later, unless an ssh was left behind.
    while status == nil || !(isSilent || now() >= end) {
      switch await events.next() {
      case .started(let id):
        process = id
        if stop != nil { kill(id, SIGUSR1) }
      case .signal(let number):
        let isFirst = stop == nil
        hear(number)
        if isFirst, let process { kill(process, SIGUSR1) }
      case .line(let line, let job):
        for output in relay.take(line, at: now()) {
          switch output {
          case .line(let text): show(text)
          case .event(let event):
            guard job == jobs else { continue }
            hasBegun = true
            ownsRun = true
            // Where rank 0 is on another host and has no folder of this one's, it is not seen here.
            run.path = run.path ?? event.run
            run.begunStep = event.step
          }
        }
      case .silence(let job): isSilent = isSilent || job == jobs
      case .tick:
        relay.due(at: now()).forEach(show)
        if status == nil, let process { hasten(process) }
      case .ended(let code):
        status = code
        process = nil
        end = now() + 2
      case .failed(let reason):
        say("error: mpirun could not be started: \(reason)")
        status = Failure.Kind.unavailable.rawValue
        end = now()
      case .answers: break
      case nil:
        return .init(status: Failure.Kind.internalError.rawValue, hasBegun: hasBegun, step: run.lastStep)
      }
    }
    let ended = status ?? Failure.Kind.internalError.rawValue
    relay.finish(status: ended).forEach(show)
    return .init(status: ended, hasBegun: hasBegun, step: run.lastStep)
  }

  // MARK: Signals and time

  /// A signal has come: the ranks are asked to save and end; a second one ends them.
  private mutating func hear(_ number: Int32) {
    if stop == nil {
      let name = RestartPolicy.signalName(number)
      stop = Stop(name: name, time: now(), grace: Double(options.grace))
      say("\(name): asking the training to save and end (at most \(options.grace) s; again ends it at once)")
    } else {
      stop?.grace = 0
    }
  }

  /// Ends ranks that were asked to stop and have not in time.
  private mutating func hasten(_ process: pid_t) {
    guard let asked = stop else { return }
    let waited = now() - asked.time
    if asked.isEnforced {
      if waited >= asked.grace + 10 { kill(process, SIGKILL) }
    } else if waited >= asked.grace {
      stop?.isEnforced = true
      // So that it counts from here, whatever the grace was.
      stop?.grace = waited
      say("not saved in time: ending it")
      // mpirun gives the ranks a second; asked twice, it gives up at once.
      kill(process, SIGTERM)
    }
  }

  /// Waits, or until a signal has come.
  private mutating func pause(_ seconds: Double) async {
    let end = now() + seconds
    while now() < end, stop == nil {
      if case .signal(let number) = await events.next() { hear(number) }
    }
  }

  private func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  // MARK: Speaking

  private func count(_ ranks: Int) -> String { ranks == 1 ? "1 process" : "\(ranks) processes" }

  private func say(_ text: String) { show(Array("launch: \(text)".utf8)) }

  private func show(_ line: [UInt8]) {
    var rest = (line + [UInt8(ascii: "\n")])[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      // Nobody listens any more: the training goes on all the same.
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  private static func temporaryFile(_ text: String) throws -> String {
    let folder = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
    var name = Array("\(folder)/speakerid-dist.hosts.XXXXXX".utf8CString)
    let file = mkstemp(&name)
    let path = name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    guard file >= 0 else { throw Failure(.inputOutput, "\(path): \(String(cString: strerror(errno)))") }
    defer { close(file) }
    guard text.withCString({ write(file, $0, strlen($0)) }) == text.utf8.count else {
      throw Failure(.inputOutput, "\(path): writing failed: \(String(cString: strerror(errno)))")
    }
    return path
  }
}
