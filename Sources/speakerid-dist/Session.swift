import Collectives
import Diagnostics
import Foundation
import Launcher
import Training

/// One process's part in a job, from the start to the exit status.
struct Session<Group: Communicator> {
  private let communicator: Group
  private let leave: () throws -> Void

  /// - Parameter leave: what is to be done last with the other processes.
  init(_ communicator: Group, leave: @escaping () throws -> Void) {
    self.communicator = communicator
    self.leave = leave
  }

  /// Does the job and ends the process with its status; rank 0 says why, if it is not 0.
  func run(_ invocation: Result<Invocation, any Error>) -> Never {
    var keepsOutput = false
    if case .success(.job(_, let json)) = invocation { keepsOutput = json }
    let console = Console(talks: communicator.rank == 0, json: keepsOutput)
    OutOfMemory.whenItHappens { [communicator] failure in
      let line =
        communicator.size == 1
        ? failure.message : "rank \(communicator.rank) on \(communicator.hostName): \(failure.message)"
      Console(talks: true).error(Failure(failure.kind, line))
      communicator.abort(status: failure.kind.rawValue)
    }
    do {
      switch try invocation.get() {
      case .text(let text): try console.result(text)
      case .job(let job, _): try job.run(communicator, console: console)
      case .launch(let options): try Supervisor.launch(options)
      }
      try leave()
      exit(0)
    } catch {
      let failure = Failure(describing: error)
      console.error(failure)
      end(failure)
    }
  }

  /// Ends the process with the failure's status, together with the other ranks.
  ///
  /// Failures are agreed on before they are thrown, so the others are on their way here too. If one failed on
  /// this rank alone, the others wait for it in some exchange and never come: then this rank says what
  /// happened and goes, and the launcher ends the others.
  private func end(_ failure: Failure) -> Never {
    if communicator.size > 1 {
      let line = "rank \(communicator.rank) on \(communicator.hostName): \(failure.message)"
      let kind = failure.kind
      Thread.detachNewThread {
        Thread.sleep(forTimeInterval: Self.patience)
        Console(talks: true).error(Failure(kind, line))
        _exit(kind.rawValue)
      }
    }
    try? leave()
    // Without memory OpenBLAS has fewer threads than it waits for at the end: what is left to it is not done.
    if failure.kind == .outOfMemory { _exit(failure.kind.rawValue) }
    exit(failure.kind.rawValue)
  }

  /// Seconds the other ranks have to end with this one.
  private static var patience: Double { 5 }
}
