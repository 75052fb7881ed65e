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
    // Before MPI starts, so that the signals mpirun forwards find their handler.
    if case .success(.job(let job, _)) = invocation, job is TrainJob { StopRequest.install() }

    guard MPIGroup.launchedByMPI() else { Session(SoloGroup(), leave: {}).run(invocation) }
    do {
      let group = try MPIGroup.start()
      Session(group, leave: group.finalize).run(invocation)
    } catch {
      // Without MPI nobody knows who is rank 0, so everybody speaks.
      Console(talks: true).error(error)
      exit(error.kind.rawValue)
    }
  }
}
