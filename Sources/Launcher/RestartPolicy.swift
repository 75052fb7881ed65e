import Diagnostics

/// What to do when an mpirun has ended: whether the training is started again, and when.
///
/// Judged by numbers alone: the exit status, whether the training had begun, and how far it had come.
package struct RestartPolicy: Equatable, Sendable {
  /// How one start ended.
  package struct Ending: Equatable, Sendable {
    /// mpirun's exit status, 128 and the signal's number if a signal ended it; that of the first process that failed.
    package let status: Int32
    /// Whether the training had begun.
    package let hasBegun: Bool
    /// The steps that are known to be done and saved.
    package let step: Int?

    package init(status: Int32, hasBegun: Bool, step: Int?) {
      self.status = status
      self.hasBegun = hasBegun
      self.step = step
    }
  }

  /// What is to be done.
  package enum Decision: Equatable, Sendable {
    /// The launcher ends with that status; with why, if the status does not say it.
    case end(Int32, reason: String?)
    /// Start number `number` of those that are allowed, after some seconds.
    case restart(number: Int, seconds: Int)
  }

  /// The status with which mpirun ends when it has lost the daemon of another host.
  package static let lostHost: Int32 = 205

  private let maxRestarts: Int
  private var restarts = 0
  private var delay = 1
  private var furthest: Int?
  private var earlier: Ending?

  /// - Parameter maxRestarts: how often a training is started again.
  package init(maxRestarts: Int) { self.maxRestarts = maxRestarts }

  /// What to do after an ending.
  package mutating func decide(after ending: Ending) -> Decision {
    switch ending.status {
    case 0, Failure.Kind.interrupted.rawValue: return .end(ending.status, reason: nil)
    // The same command line finds the same mistake.
    case Failure.Kind.usage.rawValue, Failure.Kind.badData.rawValue, Failure.Kind.missingInput.rawValue:
      return .end(ending.status, reason: nil)
    default: break
    }
    if let reason = hopelessness(of: ending) {
      return .end(ending.status, reason: "failed \(reason): not started again")
    }
    guard restarts < maxRestarts else {
      let count = restarts == 1 ? "1 restart" : "\(restarts) restarts"
      return .end(ending.status, reason: maxRestarts > 0 ? "given up after \(count)" : nil)
    }
    restarts += 1
    // What has got on since the last failure is not in a loop of failures.
    if let step = ending.step, step > furthest ?? -1 {
      furthest = step
      delay = 1
    }
    defer { delay = min(2 * delay, 60) }
    return .restart(number: restarts, seconds: delay)
  }

  /// Why starting again cannot help, if it cannot: it has just failed in the same way without getting anywhere.
  private mutating func hopelessness(of ending: Ending) -> String? {
    guard Self.isOwnFault(ending) else {
      earlier = nil
      return nil
    }
    defer { earlier = ending }
    guard ending == earlier else { return nil }
    return ending.hasBegun
      ? "twice at the same step with status \(ending.status)"
      : "twice at the start with status \(ending.status)"
  }

  /// Whether an ending may be the program's own doing: a host or a process that is lost twice is bad luck, an error of
  /// the program's own, again at the same step, is not. Nor is what never begins, however it ends.
  private static func isOwnFault(_ ending: Ending) -> Bool {
    let kind = Failure.Kind(rawValue: ending.status)
    if kind == .rankLost || kind == .unavailable || ending.status == lostHost { return false }
    return kind != nil || !ending.hasBegun
  }

  /// The status of a launcher that was asked to stop, after an ending that saved nothing.
  ///
  /// What the program has found wrong itself, a save that failed above all, is not made to look like a stop; but mpirun's
  /// own numbers say only that it was ended, and the run still goes on from its last checkpoint.
  package static func statusOfStop(_ status: Int32) -> Int32 {
    status == 0 || Failure.Kind(rawValue: status) != nil ? status : Failure.Kind.interrupted.rawValue
  }

  /// A status in words.
  package static func describe(_ status: Int32) -> String {
    switch status {
    case Failure.Kind.rankLost.rawValue: "a rank was missing or differed"
    case Failure.Kind.unavailable.rawValue: "no host answers"
    case lostHost: "a host was lost"
    case 129...192: "a process was ended by \(signalName(status - 128))"
    default: "status \(status)"
    }
  }

  /// `SIGKILL` for 9.
  package static func signalName(_ number: Int32) -> String {
    let names = [
      "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
      "ALRM", "TERM",
    ]
    return names.indices.contains(Int(number) - 1) ? "SIG\(names[Int(number) - 1])" : "signal \(number)"
  }
}
