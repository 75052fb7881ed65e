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

  /// How many processes the launcher says it started; nil when it does not say.
  ///
  /// More than MPI then finds means that launcher and library do not understand each other.
  static func ranksLaunched(environment: [String: String] = ProcessInfo.processInfo.environment) -> Int? {
    // Under mpirun in a Slurm job the SLURM_ variables may tell of the daemons' step: mpirun's own word comes first.
    ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"].lazy
      .compactMap { environment[$0].flatMap { Int($0) } }.first
  }
}
