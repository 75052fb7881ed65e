import Foundation

extension MPIGroup {
  /// Whether a launcher that speaks MPI (`mpirun`, `srun --mpi=pmix`) started this process.
  ///
  /// Alone, and inside a Slurm allocation without PMI, the answer is no, and the program never starts MPI.
  ///
  /// - Parameter environment: this process's, but for tests.
  public static func launchedByMPI(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> Bool {
    // Open MPI's mpirun; PMIx (mpirun, srun --mpi=pmix, prun); PMI-1 and PMI-2 (srun --mpi=pmi2, Hydra).
    ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"].contains { Int(environment[$0] ?? "") != nil }
  }
}
