import CMPIBridge
import Collectives
import Diagnostics
import Foundation

/// The processes that `mpirun` or `srun` started, talking over MPI.
///
/// A call that MPI fails throws a `Failure.internalError` that names the MPI function and the reason. Calls may come
/// from different threads, one at a time.
public final class MPIGroup: Communicator {
  /// A non-blocking MPI request.
  public struct Request: ExchangeRequest {
    fileprivate var handle = cmpi_request()
    /// A completed request.
    public init() {}
  }

  /// This process's number in MPI_COMM_WORLD.
  public let rank: Int
  /// The number of processes.
  public let size: Int
  /// What MPI_Get_processor_name says.
  public let hostName: String
  /// What this rank is doing: also whether it waits in a call of this group.
  public var activity: Activity? { watched }
  private let watched = Activity()
  private let allowsHeartbeats: Bool

  /// Starts MPI and joins the group of all processes. Once in a process, before anything else talks MPI.
  ///
  /// - Throws: `Failure.internalError` when MPI does not start, or does not allow calls from several threads;
  ///   `Failure.usage` when the launcher started several processes that do not find each other.
  public static func start() throws(Failure) -> MPIGroup {
    var serialized: Int32 = 0
    var multiple: Int32 = 0
    try check(cmpi_init(&serialized, &multiple), "MPI_Init_thread")
    guard serialized == 1 else {
      throw Failure(
        .internalError,
        "\(libraryVersion()) does not grant MPI_THREAD_SERIALIZED, which the thread pool needs:"
          + " use an MPI built with thread support")
    }
    let group = try MPIGroup(allowsHeartbeats: multiple == 1)
    if group.size == 1, let launched = ranksLaunched(), launched > 1 {
      throw Failure(
        .usage,
        "the launcher started \(launched) processes, but each finds itself alone in \(libraryVersion()):"
          + " use the mpirun of that library, or srun --mpi=pmix")
    }
    return group
  }

  private init(allowsHeartbeats: Bool) throws(Failure) {
    self.allowsHeartbeats = allowsHeartbeats
    var rank: Int32 = 0
    var size: Int32 = 0
    try check(cmpi_rank(&rank), "MPI_Comm_rank")
    try check(cmpi_size(&size), "MPI_Comm_size")
    var code: Int32 = 0
    hostName = text { code = cmpi_processor_name($0, $1) }
    self.rank = Int(rank)
    self.size = Int(size)
    try check(code, "MPI_Get_processor_name")
  }

  /// Leaves MPI: every rank calls this last; no other call may follow, on any group.
  public func finalize() throws(Failure) {
    try check(cmpi_finalize(), "MPI_Finalize")
  }

  /// "Open MPI v4.1.4, …": the library this program runs with.
  public static func libraryVersion() -> String { text { _ = cmpi_library_version($0, $1) } }

  /// MPI_Barrier.
  public func barrier() throws(Failure) { try wait(in: "MPI_Barrier") { cmpi_barrier() } }

  /// MPI_Bcast, in pieces of a gigabyte, as MPI counts no more than two.
  public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) throws(Failure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeMutableRawBufferPointer(rebasing: rest.prefix(1 << 30))
      try wait(in: "MPI_Bcast") { cmpi_broadcast(piece.baseAddress, Int32(piece.count), Int32(root)) }
      rest = rest.dropFirst(piece.count)
    }
  }

  /// MPI_Allgatherv; at most 2³¹ − 1 bytes in all.
  public func allGather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int]
  ) throws(Failure) {
    let layout = try ByteLayout(counts, mine: mine.count, rank: rank, call: "MPI_Allgatherv")
    precondition(all.count >= layout.total, "\(all.count) bytes for counts \(counts)")
    try wait(in: "MPI_Allgatherv") {
      cmpi_all_gather(mine.baseAddress, Int32(mine.count), all.baseAddress, layout.counts, layout.offsets)
    }
  }

  /// MPI_Gatherv; at most 2³¹ − 1 bytes in all.
  public func gather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int], root: Int
  ) throws(Failure) {
    let layout = try ByteLayout(counts, mine: mine.count, rank: rank, call: "MPI_Gatherv")
    precondition(rank != root || all.count >= layout.total, "\(all.count) bytes for counts \(counts)")
    try wait(in: "MPI_Gatherv") {
      cmpi_gather(
        mine.baseAddress, Int32(mine.count), all.baseAddress, layout.counts, layout.offsets, Int32(root))
    }
  }

  /// MPI_Ialltoallv.
  public func startAllToAll(
    _ plan: ExchangePlan, send: UnsafePointer<Float>, receive: UnsafeMutablePointer<Float>
  ) throws(Failure) -> Request {
    precondition(plan.ranks == size, "a plan for \(plan.ranks) ranks in a group of \(size)")
    precondition(send != UnsafePointer(receive), "an all-to-all is not in place")
    var request = Request()
    try check(
      cmpi_start_all_to_all(
        send, plan.sendCounts, plan.sendOffsets, receive, plan.receiveCounts, plan.receiveOffsets,
        &request.handle), "MPI_Ialltoallv")
    return request
  }

  /// MPI_Iallgatherv with MPI_IN_PLACE, in the communicator of its lane.
  public func startAllGather(
    _ plan: GatherPlan, inPlace values: UnsafeMutablePointer<Float>, lane: ExchangeLane
  ) throws(Failure) -> Request {
    precondition(plan.ranks == size, "a plan for \(plan.ranks) ranks in a group of \(size)")
    var request = Request()
    try check(
      cmpi_start_all_gather(values, plan.counts, plan.offsets, lane == .eager ? 1 : 0, &request.handle),
      "MPI_Iallgatherv")
    return request
  }

  /// MPI_Test: also moves every other exchange on.
  public func test(_ request: inout Request) throws(Failure) -> Bool {
    var done: Int32 = 0
    try check(cmpi_test(&request.handle, &done), "MPI_Test")
    return done != 0
  }

  /// MPI_Wait.
  public func wait(_ request: inout Request) throws(Failure) {
    try wait(in: "MPI_Wait") { cmpi_wait(&request.handle) }
  }

  /// MPI_Allreduce in place, in pieces of 2³⁰ floats.
  public func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(Failure) {
    var rest = values[...]
    while !rest.isEmpty {
      let piece = UnsafeMutableBufferPointer(rebasing: rest.prefix(1 << 30))
      try wait(in: "MPI_Allreduce") { cmpi_all_reduce_sum(piece.baseAddress, Int32(piece.count)) }
      rest = rest.dropFirst(piece.count)
    }
  }

  /// Heartbeats in a communicator of their own (MPI_Comm_dup).
  ///
  /// - Returns: `nil` on all ranks when MPI does not grant every one of them MPI_THREAD_MULTIPLE.
  public func openHeartbeats() throws -> (any HeartbeatChannel)? {
    guard try allGather(allowsHeartbeats ? 1 : 0).allSatisfy({ $0 == 1 }) else { return nil }
    return try HeartbeatMessages(ranks: size)
  }

  /// MPI_Abort: `mpirun` ends every rank and exits with this status.
  public func abort(status: Int32) -> Never { cmpi_abort(status) }

  /// A call in which this rank waits for others.
  private func wait(in call: String, _ body: () -> Int32) throws(Failure) {
    try check(watched.waiting(body), call)
  }
}

/// Counts and offsets of a gather of bytes, as MPI wants them.
private struct ByteLayout {
  let counts: [Int32]
  let offsets: [Int32]
  let total: Int

  init(_ counts: [Int], mine: Int, rank: Int, call: String) throws(Failure) {
    precondition(mine == counts[rank], "\(mine) bytes, counts \(counts)")
    total = counts.reduce(0, +)
    guard total <= Int(Int32.max) else {
      throw Failure(
        .internalError, "\(call) of \(total) bytes is more than MPI counts (\(Int32.max)): gather in parts")
    }
    self.counts = counts.map { Int32($0) }
    var offset: Int32 = 0
    var offsets: [Int32] = []
    for count in self.counts {
      offsets.append(offset)
      offset += count
    }
    self.offsets = offsets
  }
}

/// A text that C writes into the buffer it is given.
private func text(_ write: (UnsafeMutablePointer<CChar>?, Int32) -> Void) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
    buffer.initialize(repeating: 0)
    write(buffer.baseAddress, Int32(buffer.count))
    return buffer.baseAddress.map { String(cString: $0) } ?? ""
  }
}

func check(_ code: Int32, _ call: String) throws(Failure) {
  guard code != 0 else { return }
  throw Failure(.internalError, "\(call) failed: " + text { cmpi_error_string(code, $0, $1) })
}

extension MPIGroup {
  /// This process's rank, as the launcher that speaks MPI (`mpirun`, `srun --mpi=pmix`) and started it says; `nil` if none
  /// did.
  ///
  /// Alone, and inside a Slurm allocation without PMI, there is none, and the program never starts MPI.
  ///
  /// - Parameter environment: this process's, but for tests.
  public static func launchedRank(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> Int? {
    // Open MPI's mpirun; PMIx (mpirun, srun --mpi=pmix, prun); PMI-1 and PMI-2 (srun --mpi=pmi2, Hydra).
    ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"].lazy.compactMap { environment[$0].flatMap { Int($0) } }
      .first
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
