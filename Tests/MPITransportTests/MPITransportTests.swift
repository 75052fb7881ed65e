import Diagnostics
import MPITransport
import TestSupport
import Testing

@Suite("The MPI group, under mpirun", .serialized)
struct MPITransportTests {
  /// `collectives-check`, alone or under a real `mpirun`.
  private func check(_ arguments: [String] = [], ranks: Int?) throws -> Program.Outcome {
    try Program.run(arguments, ranks: ranks, program: Program.path(of: "collectives-check"))
  }

  @Test("conforms", arguments: [1, 2, 3, 4])
  func conforms(ranks: Int) throws {
    let run = try check(ranks: ranks)
    #expect(run.status == 0, "\(run)")
    #expect(run.output.contains("all checks passed on \(ranks) ranks (MPIGroup)"), "\(run)")
  }

  @Test("a rank that aborts ends all, with its status", arguments: [0, 2])
  func aborts(rank: Int) throws {
    let run = try check(["--abort", "\(rank)"], ranks: 3)
    #expect(run.status == 7, "\(run)")
  }

  @Test("a failure on one rank is told once, and every rank ends with its status")
  func fails() throws {
    let run = try check(["--fail", "2"], ranks: 3)
    #expect(run.status == Failure.Kind.badData.rawValue, "\(run)")
    let lines = (run.output + run.errors).split(separator: "\n").filter {
      $0.contains("shard 2 is cut short")
    }
    #expect(lines.count == 1 && lines[0].hasPrefix("rank 2 on "), "\(run)")
  }

  @Test("alone, the program never starts MPI")
  func alone() throws {
    let run = try check(ranks: nil)
    #expect(run.status == 0, "\(run)")
    #expect(run.output.contains("all checks passed on 1 ranks (SoloGroup)"), "\(run)")
  }

  @Test("heartbeats arrive once, in order, beside exchanges on another thread", arguments: [2, 3])
  func heartbeats(ranks: Int) throws {
    let run = try check(["--heartbeats"], ranks: ranks)
    #expect(run.status == 0, "\(run)")
    #expect(run.output.contains("heartbeats pass on \(ranks) ranks"), "\(run)")
  }

  @Test("what counts as a launcher")
  func launchers() {
    #expect(MPIGroup.launchedRank(environment: [:]) == nil)
    #expect(MPIGroup.launchedRank(environment: ["SLURM_PROCID": "0", "SLURM_NTASKS": "4"]) == nil)
    #expect(MPIGroup.launchedRank(environment: ["OMPI_MCA_btl": "self,tcp", "PMIX_RANK": ""]) == nil)
    #expect(MPIGroup.launchedRank(environment: ["OMPI_COMM_WORLD_RANK": "0"]) == 0)
    #expect(MPIGroup.launchedRank(environment: ["SLURM_PROCID": "3", "PMIX_RANK": "3"]) == 3)
    #expect(MPIGroup.launchedRank(environment: ["PMI_RANK": "0", "PMI_SIZE": "2"]) == 0)
  }
}
