import Testing

@Suite("Heartbeats, under mpirun", .serialized)
struct HeartbeatTests {
  @Test("arrive once, in order, beside exchanges on another thread", arguments: [2, 3])
  func arrive(ranks: Int) throws {
    try MPIRun.requireMPI()
    let run = try MPIRun(ranks: ranks, ["--heartbeats"])
    #expect(run.status == 0, "\(run.output)")
    #expect(run.output.contains("heartbeats pass on \(ranks) ranks"), "\(run.output)")
  }
}
