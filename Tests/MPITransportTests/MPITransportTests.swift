import Diagnostics
import MPITransport
import Testing

@Suite("The MPI group, under mpirun", .serialized)
struct MPITransportTests {
  @Test("conforms", arguments: [1, 2, 3, 4])
  func conforms(ranks: Int) throws {
    try MPIRun.requireMPI()
    let run = try MPIRun(ranks: ranks)
    #expect(run.status == 0, "\(run.output)")
    #expect(run.output.contains("all checks passed on \(ranks) ranks (MPIGroup)"), "\(run.output)")
  }

  @Test("a rank that aborts ends all, with its status", arguments: [0, 2])
  func aborts(rank: Int) throws {
    try MPIRun.requireMPI()
    let run = try MPIRun(ranks: 3, ["--abort", "\(rank)"], seconds: 60)
    #expect(run.status == 7, "\(run.output)")
  }

  @Test("a failure on one rank is told once, and every rank ends with its status")
  func fails() throws {
    try MPIRun.requireMPI()
    let run = try MPIRun(ranks: 3, ["--fail", "2"], seconds: 60)
    #expect(run.status == Failure.Kind.badData.rawValue, "\(run.output)")
    let lines = run.output.split(separator: "\n").filter { $0.contains("shard 2 is cut short") }
    #expect(lines.count == 1 && lines[0].hasPrefix("rank 2 on "), "\(run.output)")
  }

  @Test("alone, the program never starts MPI")
  func alone() throws {
    let run = try MPIRun(alone: [])
    #expect(run.status == 0, "\(run.output)")
    #expect(run.output.contains("all checks passed on 1 ranks (SoloGroup)"), "\(run.output)")
  }

  @Test("what counts as a launcher")
  func launchers() {
    #expect(!MPIGroup.launchedByMPI(environment: [:]))
    #expect(!MPIGroup.launchedByMPI(environment: ["SLURM_PROCID": "0", "SLURM_NTASKS": "4"]))
    #expect(!MPIGroup.launchedByMPI(environment: ["OMPI_MCA_btl": "self,tcp", "PMIX_RANK": ""]))
    #expect(MPIGroup.launchedByMPI(environment: ["OMPI_COMM_WORLD_SIZE": "1"]))
    #expect(MPIGroup.launchedByMPI(environment: ["SLURM_PROCID": "3", "PMIX_RANK": "3"]))
    #expect(MPIGroup.launchedByMPI(environment: ["PMI_RANK": "0", "PMI_SIZE": "2"]))
  }
}
