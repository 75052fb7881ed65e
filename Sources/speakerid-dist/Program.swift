import Collectives
import Diagnostics
import Foundation
import MPITransport
import TensorCore
import Training

/// The program: reads the command line, joins the other processes if there are any, and does the job.
@main
enum Program {
  static func main() {
    // A file that may not grow any more is an error like a full disk, not the end of the process; nor is a pipe that
    // nobody reads any longer.
    signal(SIGXFSZ, SIG_IGN)
    signal(SIGPIPE, SIG_IGN)
    KernelSet.flushDenormals()
    let invocation = Result { try Invocation.parse(Array(CommandLine.arguments.dropFirst())) }
    let rank = MPIGroup.launchedRank()
    switch invocation {
    // Before MPI starts, so that the signals mpirun forwards find their handler.
    case .success(.job(let job, _)) where job is TrainJob: listen(rank: rank)
    // Without MPI: a launcher is no rank of anything.
    case .success(.launch) where rank != nil:
      let failure = Failure(.usage, "launch starts mpirun itself: run it without mpirun or srun")
      Console(talks: rank == 0).error(failure)
      exit(failure.kind.rawValue)
    default: break
    }

    guard rank != nil else { Session(SoloGroup(), leave: {}).run(invocation) }
    do {
      let communicator = try MPIGroup.start()
      Session(communicator, leave: communicator.finalize).run(invocation)
    } catch {
      // Without MPI nobody knows who is rank 0, so everybody speaks.
      Console(talks: true).error(error)
      exit(error.kind.rawValue)
    }
  }

  /// Lets signals end a training at a step's end. A step may take long, and mpirun may not wait for it: that is said in
  /// time, as afterwards nobody may be left to say it.
  private static func listen(rank: Int?) {
    let seconds = ProcessInfo.processInfo.environment["OMPI_MCA_odls_base_sigkill_timeout"] ?? "1"
    StopRequest.install { name in
      let limit =
        rank != nil && name == "SIGTERM"
        ? ". mpirun ends the processes \(seconds) s after a SIGTERM of its own: if that is sooner, nothing is saved and"
          + " --resume goes on from the last checkpoint; 'kill -USR1' to mpirun gives them all the time" : ""
      Console(talks: rank ?? 0 == 0).warning(
        "\(name): the step under way, or the next, is finished and saved first\(limit)")
    }
  }
}
